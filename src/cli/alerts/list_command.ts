import { Command } from 'commander'
import { isJournalInUse, readAlerts } from '../../index.js'
import { FaultList } from '../fault.js'
import { colorsFor, safeJson } from '../terminal.js'
import { valueOption } from '../value_option.js'
import { readNumber, readPids, readText } from '../values.js'
import { directoryOption, journalOf, journalOption, type RawPlace, useJournal } from './place.js'
import { alertLine, silenceLine } from './text.js'
import { SEVERITIES, wordOf } from './words.js'

const STATES = ['firing', 'resolved', 'unknown'] as const
const DEFAULT_LIMIT = 50

interface RawList extends RawPlace {
  state?: string
  severity?: string
  rule?: string
  pid?: string
  limit?: string
  json?: boolean
}

/** `muster alerts` */
export function alertsCommand(): Command {
  return new Command('alerts')
    .description('list the alerts of a watch, and the silences in force')
    .addOption(directoryOption())
    .addOption(journalOption())
    .addOption(valueOption('--state <STATE>', 'only those in this state', STATES))
    .addOption(valueOption('--severity <SEVERITY>', 'only those of this severity', SEVERITIES))
    .addOption(valueOption('--rule <NAME>', 'only those of this rule'))
    .addOption(valueOption('-p, --pid <PID>', 'only those about this process'))
    .addOption(valueOption('--limit <N>', `at most so many, the newest (default: ${DEFAULT_LIMIT})`))
    .option('-j, --json', 'one JSON object instead of text')
    .addHelpText('after', HELP)
    .action(list)
}

async function list(raw: RawList): Promise<void> {
  const faults = new FaultList()
  const journal = journalOf(raw, faults)
  const limitFlag = { flag: '--limit', wanted: 'a number of 1 or more', min: 1, max: 1e9, integer: true }
  const pids = raw.pid === undefined ? undefined : readPids(raw.pid, '-p/--pid', faults)
  const query = {
    state: wordOf(raw.state, '--state', STATES, faults),
    severity: wordOf(raw.severity, '--severity', SEVERITIES, faults),
    rule: raw.rule === undefined ? undefined : readText(raw.rule, '--rule', 'the name of a rule', faults),
    pid: pids?.values().next().value,
    limit: raw.limit === undefined ? DEFAULT_LIMIT : readNumber(raw.limit, limitFlag, faults),
  }
  faults.throwIfAny()
  await useJournal(journal)
  const [{ alerts, silences, found }, isRunning] = await Promise.all([
    readAlerts(journal, query),
    isJournalInUse(journal),
  ])
  const { stdout } = process
  if (raw.json) {
    stdout.write(`${safeJson({ version: 1, isRunning, found, alerts, silences })}\n`)
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
    ...(isRunning ? [] : ['no watch writes this journal now: what is said to fire did so when it ended']),
  ]
  stdout.write(`${lines.join('\n')}\n`)
}

const HELP = `
Lines (since when, severity, state, id, rule and message; newest first):
  firing     it lasts
  resolved   it is over
  unknown    the watch that raised it ended first, and it has not fired again since

  Names in messages are chosen by the processes themselves: control characters in them are written as escapes.

Examples:
  muster alerts -d ./evidence --state firing
  muster alerts --journal /var/lib/muster/muster.jsonl --severity critical --limit 10
  muster alerts -d ./evidence --json | jq -r '.alerts[] | select(.state == "firing") | .id'

Exit codes: 0 also when there are none; 2, 3, 4 bad input; 6 not permitted; 7 no such journal.
\`muster --help\` lists all.`
