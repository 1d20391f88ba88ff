import { isJournalInUse, readAlerts, readRequests, type WaitingRequest } from '../../public/alerts.js'
import { FaultList, messageOf } from '../fault.js'
import { colorsFor, safeJson, widthOf } from '../terminal.js'
import { readNumber, readPids, readText } from '../values.js'
import { setIn } from '../wrap.js'
import { journalOf, type RawPlace, useJournal } from './place.js'
import { alertLine, requestLine, silenceLine } from './text.js'
import { ALERT_STATES, DEFAULT_LIMIT, SEVERITIES, wordOf } from './words.js'

/** As commander hands them over. */
export interface RawList extends RawPlace {
  state?: string
  severity?: string
  rule?: string
  pid?: string
  limit?: string
  json?: boolean
}

/** `muster alerts` with what the user gave. */
export async function list(raw: RawList): Promise<void> {
  const faults = new FaultList()
  const journal = journalOf(raw, faults)
  const limitFlag = { flag: '--limit', wanted: 'a number of 1 or more', min: 1, max: 1e9, integer: true }
  const pids = raw.pid === undefined ? undefined : readPids(raw.pid, '-p/--pid', faults)
  const query = {
    state: wordOf(raw.state, '--state', ALERT_STATES, faults),
    severity: wordOf(raw.severity, '--severity', SEVERITIES, faults),
    rule: raw.rule === undefined ? undefined : readText(raw.rule, '--rule', 'the name of a rule', faults),
    pid: pids?.values().next().value,
    limit: raw.limit === undefined ? DEFAULT_LIMIT : readNumber(raw.limit, limitFlag, faults),
  }
  faults.throwIfAny()
  await useJournal(journal)
  // First what waits: what an engine takes meanwhile is in the journal by then.
  const requests = await readRequests(journal).catch((error: Error): WaitingRequest[] => {
    process.stderr.write(`muster: ${messageOf(error)}\n`)
    return []
  })
  const [{ alerts, silences, found, badLines }, isRunning] = await Promise.all([
    readAlerts(journal, query),
    isJournalInUse(journal),
  ])
  const waiting = requests.filter(({ id }) => !silences.some((silence) => silence.id === id))
  const { stdout } = process
  if (raw.json) {
    stdout.write(`${safeJson({ version: 1, isRunning, found, alerts, silences, waiting, badLines })}\n`)
    return
  }
  const colors = colorsFor(stdout)
  const lines = [
    ...alerts.map((alert) => alertLine(alert, colors)),
    ...(alerts.length === 0 ? ['no alerts'] : []),
    ...(found > alerts.length
      ? [`${found - alerts.length} older ones are left out; --limit shows more`]
      : []),
    ...silences.map(silenceLine),
    ...waiting.map((request) => requestLine(request, isRunning)),
    ...(badLines > 0 ? [`damaged lines of the journal, left out here: ${badLines}`] : []),
    ...(isRunning ? [] : ['no watch writes this journal now: what is said to fire did so when it ended']),
  ]
  stdout.write(`${lines.flatMap((line) => setIn(line, 4, widthOf(stdout))).join('\n')}\n`)
}
