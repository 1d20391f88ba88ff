import { join } from 'node:path'
import { ProcmusterError } from '../../public/errors.js'
import { explainTrace, type Trace, type TraceQuery, traceDecisions } from '../../public/journal.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail, messageOf } from '../fault.js'
import { clockTime, localDate } from '../quantities.js'
import { safeJson, widthOf } from '../terminal.js'
import { PID_MAX, quoted, readNumber, readText } from '../values.js'
import { setIn } from '../wrap.js'
import { DEFAULT_LIMIT } from './command.js'

/** As commander hands them over. */
export interface RawWhyOptions {
  directory?: string
  journal?: string
  limit?: string
  all?: boolean
  json?: boolean
}

/** `muster why` with what the user gave. */
export async function tell(what: string | undefined, raw: RawWhyOptions): Promise<void> {
  const faults = new FaultList()
  const query = readQuery(what, raw, faults)
  const journal = readJournalPath(raw, faults)
  faults.throwIfAny()
  if (query === undefined || journal === undefined) return
  const trace = await readTrace(journal, query)
  if ('id' in query && trace.subjects.length === 0) {
    const where = `the journal ${quoted(journal)}`
    fail(
      EXIT.noSuchProcess,
      `${quoted(query.id)} is no alert, decision or action of ${where}; \`muster why PID\` lists those of a process`,
    )
  }
  const [newest, ...older] = trace.subjects
  const told = raw.all === true || newest === undefined ? trace : { ...trace, subjects: [newest] }
  const { stdout } = process
  if (raw.json === true) {
    stdout.write(`${safeJson(told)}\n`)
    return
  }
  const lines = explainTrace(told, { time: (atMs) => `${localDate(atMs)} ${clockTime(atMs)}` })
  if (told !== trace && older.length > 0) {
    const lives = older.length === 1 ? 'one earlier life' : `${older.length} earlier lives`
    lines.push('', `${lives} of this pid, or groups with it, left out; --all tells them`)
  }
  stdout.write(`${lines.flatMap((line) => setIn(line, 4, widthOf(stdout))).join('\n')}\n`)
}

async function readTrace(journal: string, query: TraceQuery): Promise<Trace> {
  try {
    return await traceDecisions(journal, query)
  } catch (error) {
    if (!(error instanceof ProcmusterError)) throw error
    const reasons: Readonly<Record<string, string>> = {
      NOT_FOUND: 'does not exist; give the --journal or -d that the watch had',
      ACCESS_DENIED: 'is not readable for this user; run as the user of the watch, or as root',
    }
    const reason = reasons[error.code]
    return fail(EXIT.directory, reason ? `the journal ${quoted(journal)} ${reason}` : messageOf(error))
  }
}

function readQuery(what: string | undefined, raw: RawWhyOptions, faults: FaultList): TraceQuery | undefined {
  const limit =
    raw.limit === undefined
      ? DEFAULT_LIMIT
      : readNumber(
          raw.limit,
          { flag: '--limit', wanted: 'how many decisions, 1 to 10000', min: 1, max: 10_000, integer: true },
          faults,
        )
  if (what === undefined) {
    return faults.add(
      EXIT.usage,
      'it is not said what to tell; give a PID, or the id of an alert or a decision',
    )
  }
  const [, pidText, ticksText] = /^([+-]?\d+)(?::(\d+))?$/.exec(what) ?? []
  if (pidText !== undefined) {
    const wanted = `a PID from 1 to ${PID_MAX}`
    const pid = readNumber(pidText, { flag: 'PID', wanted, min: 1, max: PID_MAX, integer: true }, faults)
    if (pid === undefined || limit === undefined) return undefined
    return { pid, limit, ...(ticksText !== undefined && { startTicks: Number(ticksText) }) }
  }
  if (!/^[0-9a-f]{8}-d?\d+$/.test(what)) {
    const forms = 'a PID, or an id such as 1a2b3c4d-5 of an alert or 1a2b3c4d-d5 of a decision'
    return faults.add(EXIT.malformed, `${quoted(what)} is neither a PID nor an id; give ${forms}`)
  }
  return limit === undefined ? undefined : { id: what, limit }
}

function readJournalPath({ journal, directory }: RawWhyOptions, faults: FaultList): string | undefined {
  if (journal !== undefined) return readText(journal, '--journal', 'a file', faults)
  if (directory !== undefined) {
    const path = readText(directory, '-d/--directory', 'a directory', faults)
    return path && join(path, 'muster.jsonl')
  }
  return faults.add(
    EXIT.usage,
    'it is not said which journal; give the -d/--directory or --journal that the watch had',
  )
}
