import { homedir } from 'node:os'
import { type MembersResult, signalSession } from '../../public/control.js'
import { report } from '../control/report.js'
import { type Outcome, outcomeOf } from '../control/targets.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail } from '../fault.js'
import { readGraceMs } from '../grace.js'
import { printTable, type TextColumn } from '../print_table.js'
import { fineDuration, shortAge } from '../quantities.js'
import { StopSignals } from '../stop_signals.js'
import { didYouMean } from '../suggest.js'
import { escapeForTerminal, safeJson, truncate, widthOf } from '../terminal.js'
import { quoted } from '../values.js'
import { identityOf, type Job, type JobNow } from './job.js'
import { ended, endSessions, memberOf, refuseUnknown } from './job_session.js'
import { JobStore } from './job_store.js'
import { exitCodeOf } from './run.js'

/** As commander hands them over. */
export interface RawJobs {
  json?: boolean
}
export interface RawStopJobs extends RawJobs {
  grace?: string
}
export interface RawAttach {
  raw?: boolean
  lines?: string
}

/** Cells of the command; what the other columns take of a terminal leaves room for the log. */
const COMMAND_MOST = 40
const COMMAND_LEAST = 16
const OTHERS_WIDTH = 68

const COLUMNS: readonly TextColumn<JobNow>[] = [
  { heading: 'NAME', align: 'left', text: ({ name }) => escapeForTerminal(name) },
  { heading: 'PID', align: 'right', text: ({ pid }) => String(pid) },
  {
    heading: 'STATE',
    align: 'left',
    text: (job) => (job.state === 'ended' ? wordedEnd(job) : job.state),
  },
  {
    heading: 'SINCE',
    align: 'right',
    text: ({ startedAtMs }) => shortAge((Date.now() - startedAtMs) / 1000),
  },
  { heading: 'COMMAND', align: 'left', text: (job) => truncate(commandOf(job), commandWidth()) },
  { heading: 'LOG', align: 'left', text: ({ log }) => escapeForTerminal(belowHome(log)) },
]

/** Of a job that has ended. */
export function wordedEnd({ exit, stoppedBy }: JobNow): string {
  if (stoppedBy !== null) return `ended by ${stoppedBy}`
  if (exit === null) return 'ended, code unknown'
  const core = exit.coreDumped ? ', core dumped' : ''
  return exit.signal === null
    ? `exited ${exit.exitCode}`
    : `killed by ${exit.signal.replace(/^SIG/, '')}${core}`
}

const commandOf = (job: Job): string => escapeForTerminal([job.program, ...job.arguments].join(' '))

function commandWidth(): number {
  const width = widthOf(process.stdout) ?? COMMAND_MOST + OTHERS_WIDTH
  return Math.min(COMMAND_MOST, Math.max(COMMAND_LEAST, width - OTHERS_WIDTH))
}

function belowHome(path: string): string {
  const home = `${homedir()}/`
  return path.startsWith(home) ? `~/${path.slice(home.length)}` : path
}

/** `muster jobs` */
export async function list({ json }: RawJobs): Promise<void> {
  const jobs = await (await JobStore.open()).list()
  if (json) process.stdout.write(arrayOf(jobs))
  else if (jobs.length > 0) await printTable(jobs, COLUMNS)
  else process.stdout.write('no jobs; muster run -b -- PROGRAM starts one\n')
}

/** `muster jobs stop JOB...` */
export async function stop(words: readonly string[], raw: RawStopJobs): Promise<void> {
  const faults = new FaultList()
  const graceMs = readGraceMs(raw.grace, faults)
  faults.throwIfAny()
  const store = await JobStore.open()
  const jobs = await find(store, words)
  const sessions = await endSessions(
    jobs.filter(({ state }) => state !== 'ended'),
    graceMs!,
  )
  const results = await Promise.all(
    jobs.map((job) =>
      outcomeOf(job.pid, async () => {
        const { name } = job
        const end = sessions.get(job)
        if (end === undefined) return { name, endedBy: 'itself', tookMs: 0 }
        const { members, tookMs, error } = end
        if (error !== undefined) throw error
        const left = members.find(({ error }) => error !== undefined && error.code !== 'PROCESS_GONE')
        if (left?.error !== undefined) throw left.error
        const ends = members.map(({ endedBy }) => endedBy)
        const endedBy =
          members.find(({ pid }) => pid === job.pid)?.endedBy ??
          (ends.includes('SIGKILL') ? 'SIGKILL' : ends.length > 0 ? 'SIGTERM' : 'itself')
        await store.locked(async () => {
          // Another muster may have forgotten it meanwhile, and another job have its name.
          const now = await store.again(job)
          if (now === undefined) return
          await store.tidy(job)
          const { state: _, exit: _exit, ...record } = now
          await store.put({ ...record, stoppedBy: endedBy === 'itself' ? null : endedBy })
        })
        return { name, endedBy, tookMs }
      }),
    ),
  )
  report(results, raw.json, ({ name, pid, endedBy, tookMs }) =>
    endedBy === 'itself'
      ? `${name} (${pid}): had ended`
      : `${name} (${pid}): ended by ${endedBy} after ${fineDuration(tookMs)}`,
  )
}

/** `muster jobs wait JOB` */
export async function wait(word: string, { json }: RawJobs): Promise<void> {
  using signals = new StopSignals()
  const store = await JobStore.open()
  const [job] = (await find(store, [word])) as [JobNow]
  await refuseUnknown(job)
  if (job.state !== 'ended') await ended(identityOf(job), signals.signal)
  if (signals.signal.aborted) {
    process.exitCode = signals.exitCode
    return
  }
  const now = await store.again(job)
  if (json && now !== undefined) process.stdout.write(arrayOf([now]))
  const exit = now?.exit
  if (exit != null) {
    const { exitCode, signal } = exit
    process.exitCode = exitCodeOf({ exitCode: exitCode ?? undefined, signal: signal ?? undefined })
  } else {
    fail(
      EXIT.failure,
      `${job.name} (${job.pid}) has ended, with what code is unknown: its keeper was killed or could not write it, or the job is forgotten`,
    )
  }
}

/** `muster jobs suspend JOB...` */
export const suspend = (words: readonly string[], raw: RawJobs): Promise<void> =>
  signalJobs(words, raw, 'SIGSTOP', 'suspended')

/** `muster jobs continue JOB...` */
export const resume = (words: readonly string[], raw: RawJobs): Promise<void> =>
  signalJobs(words, raw, 'SIGCONT', 'continued')

async function signalJobs(
  words: readonly string[],
  raw: RawJobs,
  signal: 'SIGSTOP' | 'SIGCONT',
  done: string,
): Promise<void> {
  const jobs = await find(await JobStore.open(), words)
  const results = await Promise.all(
    jobs.map((job) =>
      outcomeOf(job.pid, async () => {
        const result = await signalSession(await memberOf(job), signal, { freeze: false })
        return { name: job.name, processes: reached(job, result) }
      }),
    ),
  )
  report<Outcome & { name?: string; processes?: number }>(results, raw.json, ({ name, pid, processes }) =>
    processes === 1 ? `${name} (${pid}): ${done}` : `${name} (${pid}): ${done}, ${processes} processes`,
  )
}

/** How many got it; one that ended meanwhile needs none. */
function reached({ name, pid }: Job, { members }: MembersResult): number {
  const failed = members.find(({ error }) => error !== undefined && error.code !== 'PROCESS_GONE')
  if (failed?.error !== undefined) throw failed.error
  const count = members.filter(({ ok }) => ok).length
  if (count === 0) fail(EXIT.noSuchProcess, `${name} (${pid}) has ended meanwhile; nothing was done`)
  return count
}

/** `muster jobs clean` */
export async function clean({ json }: RawJobs): Promise<void> {
  const store = await JobStore.open()
  const ended = await store.locked(async () => {
    const jobs = (await store.list()).filter(({ state }) => state === 'ended')
    for (const job of jobs) {
      await store.tidy(job)
      await store.forget(job)
    }
    return jobs
  })
  if (json) process.stdout.write(arrayOf(ended))
  else process.stdout.write(`${ended.length === 1 ? '1 job' : `${ended.length} jobs`} forgotten\n`)
}

/** The jobs that are meant by names or pids, each once. */
export async function find(store: JobStore, words: readonly string[]): Promise<JobNow[]> {
  const jobs = await store.list()
  const found = words.map((word) => {
    // A pid may be that of an ended job, too: the one that runs is meant.
    const same = jobs.filter(({ name, pid }) => name === word || String(pid) === word)
    const job = same.find(({ state }) => state !== 'ended') ?? same.at(-1)
    if (job !== undefined) return job
    const near = didYouMean(
      word,
      jobs.map(({ name }) => name),
    )
    return fail(EXIT.noSuchProcess, `there is no job ${quoted(word)}${near}; muster jobs lists them`)
  })
  return [...new Set(found)]
}

function arrayOf(jobs: readonly JobNow[]): string {
  const lines = jobs.map(({ version: _, ...job }) => safeJson(job))
  return lines.length === 0 ? '[]\n' : `[\n${lines.join(',\n')}\n]\n`
}
