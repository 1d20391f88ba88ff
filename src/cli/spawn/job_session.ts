import { once } from 'node:events'
import {
  getScheduling,
  identify,
  ProcessHandle,
  type TreeMemberEnd,
  terminateTree,
} from '../../public/control.js'
import { ProcmusterError } from '../../public/errors.js'
import { readProcFiles } from '../../public/inspect.js'
import { Sampler } from '../../public/sampler.js'
import type { ProcessIdentity, ProcessRow, Table } from '../../public/table.js'
import { identityOf, type Job, type JobNow, type JobState } from './job.js'

interface Member {
  readonly identity: ProcessIdentity
  readonly parentPid: number | undefined
}

/** What has become of jobs, of which those of an earlier boot have ended. */
export async function statesOf(jobs: readonly Job[], bootId: string): Promise<JobState[]> {
  const states = await Promise.all(
    jobs.map((job) => (job.bootId === bootId ? leaderState(job) : ('ended' as const))),
  )
  const left = jobs.filter((job, index) => states[index] === 'ended' && job.bootId === bootId)
  const sessions = await sessionsOf(left)
  return jobs.map((job, index) => ((sessions.get(job) ?? []).length > 0 ? 'orphaned' : states[index]!))
}

type Identified = Pick<ProcessIdentity, 'pid' | 'startTicks'>

/** Resolves when a process has ended, or that is waited for no more. @throws ProcmusterError where it cannot be seen */
export async function ended({ pid, startTicks }: Identified, left: AbortSignal): Promise<void> {
  // Of many that are waited for in turn none leaves a listener behind.
  const over = new AbortController()
  try {
    using handle = await ProcessHandle.open({ pid, startTicks, settled: true })
    if (left.aborted) return
    const isLeft = once(left, 'abort', { signal: over.signal }).catch(() => {})
    await Promise.race([handle.exited, isLeft])
  } catch (error) {
    if (!(error instanceof ProcmusterError) || error.code !== 'PROCESS_GONE') throw error
  } finally {
    over.abort()
  }
}

async function leaderState(job: Job): Promise<Exclude<JobState, 'orphaned'>> {
  try {
    const identity = await identify(job.pid)
    if (identity.startTicks !== job.startTicks) return 'ended'
    const [file] = await readProcFiles(identity, { files: ['stat'] })
    if (file!.error !== undefined) throw file!.error
    const stat = file!.data.toString('latin1')
    const state = stat[stat.lastIndexOf(')') + 2]
    return state === 'Z' || state === 'X' ? 'ended' : state === 'T' ? 'suspended' : 'running'
  } catch (error) {
    if (!(error instanceof ProcmusterError)) throw error
    return error.code === 'PROCESS_GONE' ? 'ended' : 'unknown'
  }
}

/** Who runs in the sessions that jobs lead or led, in one look at all processes. */
export async function sessionsOf(jobs: readonly Job[]): Promise<ReadonlyMap<Job, readonly Member[]>> {
  if (jobs.length === 0) return new Map()
  // The bpf source would have to be started for one sample.
  await using sampler = await Sampler.open({ source: 'procfs' })
  const table = await sampler.sample()
  return new Map(await Promise.all(jobs.map(async (job) => [job, await membersOf(job, table)] as const)))
}

async function membersOf(job: Job, table: Table): Promise<readonly Member[]> {
  const leader = table.get(job.pid)
  // Somebody has that number anew, so that the session of the job has been empty since.
  if (leader !== undefined && leader.startTicks !== job.startTicks) return []
  const hasEnded = ({ state, threads = 1 }: ProcessRow) => state === 'X' || (state === 'Z' && threads <= 1)
  const rows = [...table]
    .filter((row) => row.sid === job.pid && row.startTicks >= job.startTicks && !hasEnded(row))
    .map(({ pid, startTicks, ppid }) => ({ pid, startTicks, ppid }))
  const members = await Promise.all(
    rows.map(async ({ pid, startTicks, ppid }): Promise<Member | undefined> => {
      // Waits for those that have only just started, too.
      const identity = await identify(pid).catch(undefinedIfGone)
      if (identity?.startTicks !== startTicks) return undefined
      return leader !== undefined || (await isOfAutogroup(identity, job))
        ? { identity, parentPid: ppid }
        : undefined
    }),
  )
  return members.filter((member) => member !== undefined)
}

function undefinedIfGone(error: unknown): undefined {
  if (!(error instanceof ProcmusterError) || error.code !== 'PROCESS_GONE') throw error
}

/** Without its leader the number of a session may be that of a later one; the kernel gives that of an autogroup once only. */
async function isOfAutogroup(identity: ProcessIdentity, job: Job): Promise<boolean> {
  return job.autogroup !== null && (await autogroupOf(identity)) === job.autogroup
}

/** Made anew with each session, and inherited within it; null where the kernel has none. sched(7). */
export async function autogroupOf(identity: ProcessIdentity): Promise<number | null> {
  const [result] = await getScheduling([identity])
  return result!.ok ? (result!.threads[0]?.autogroup?.id ?? null) : null
}

/** @throws ProcmusterError why nothing is known of it */
export async function refuseUnknown(job: JobNow): Promise<void> {
  if (job.state === 'unknown') await identify(job.pid)
}

/** Rounds for those that were started, and orphaned, while the others ended; who is there in the last one is killed. */
const MOST_ROUNDS = 5

/** How the session of a job ended, or why it could not be ended. */
interface SessionEnd {
  members: TreeMemberEnd[]
  tookMs: number
  error?: unknown
}

/** Ends everyone in the sessions of jobs, and their descendants in others; a look at all processes serves all jobs. */
export async function endSessions(
  jobs: readonly JobNow[],
  graceMs: number,
): Promise<ReadonlyMap<JobNow, SessionEnd>> {
  const begunAt = performance.now()
  const ends = new Map(jobs.map((job): [JobNow, SessionEnd] => [job, { members: [], tookMs: 0 }]))
  let left = [...jobs]
  for (let round = 1; left.length > 0; round++) {
    const sessions = await sessionsOf(left)
    if (round > MOST_ROUNDS) {
      for (const job of left) ends.get(job)!.error = stillThere(job, sessions.get(job)!)
      break
    }
    const goOn = await Promise.all(
      left.map(async (job) => {
        const end = ends.get(job)!
        try {
          await refuseUnknown(job)
          const trees = await endRoots(sessions.get(job)!, graceMs, round === MOST_ROUNDS)
          end.members.push(...trees)
          // The look that finds nobody left comes only when the other jobs of the round have ended.
          if (trees.length > 0) end.tookMs = performance.now() - begunAt
          return trees.length > 0 && trees.every(({ error }) => error === undefined)
        } catch (error) {
          end.error = error
          return false
        }
      }),
    )
    left = left.filter((_, index) => goOn[index])
  }
  return ends
}

function stillThere({ name, pid, startTicks }: Job, members: readonly Member[]): ProcmusterError | undefined {
  if (members.length === 0) return undefined
  const message = `job ${name}: process ${members[0]!.identity.pid} is in its session, started by those that were ended and killed; stop it again`
  return new ProcmusterError('TIMEOUT', { message, pid, startTicks })
}

async function endRoots(
  members: readonly Member[],
  graceMs: number,
  isKilled: boolean,
): Promise<TreeMemberEnd[]> {
  const pids = new Set(members.map(({ identity }) => identity.pid))
  // Orphans have no parent in it any more.
  const roots = members.filter(({ parentPid = 0 }) => !pids.has(parentPid))
  return (await Promise.all(roots.map(({ identity }) => endTree(identity, graceMs, isKilled)))).flat()
}

async function endTree(
  root: ProcessIdentity,
  graceMs: number,
  isKilled: boolean,
): Promise<readonly TreeMemberEnd[]> {
  try {
    const signal = isKilled ? 'SIGKILL' : 'SIGTERM'
    return (await terminateTree(root, { graceMs, signal })).members
  } catch (error) {
    if (error instanceof ProcmusterError && error.code === 'PROCESS_GONE') return []
    throw error
  }
}

/** Somebody in its session: the leader, or who is left without it. @throws ProcmusterError */
export async function memberOf(job: JobNow): Promise<ProcessIdentity> {
  await refuseUnknown(job)
  if (job.state !== 'orphaned') return identityOf(job)
  return (await sessionsOf([job])).get(job)![0]?.identity ?? identityOf(job)
}
