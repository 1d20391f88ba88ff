import { identify, ProcessHandle } from '../control/handle.js'
import { type ControlResult, Step, stepError } from '../control/results.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { writeControl } from './files.js'
import { readProcesses } from './use.js'

/** Moves each target into these directories, one of each tree. */
export async function moveInto(
  directories: readonly string[],
  targets: readonly ProcessIdentity[],
  force: boolean,
): Promise<ControlResult[]> {
  const [first, last] = [directories[0]!, directories.at(-1)!]
  if (first === last) return moveEach(directories, targets, force)
  const known = new Set([...(await pidsIn(first)), ...targets.map(({ pid }) => pid)])
  const results = await moveEach(directories, targets, force)
  // A child that was born while its parent was moved into one tree after the other came along into some of them only.
  for (;;) {
    const inFirst = await pidsIn(first)
    const inLast = new Set(await pidsIn(last))
    const born = inFirst.filter((pid) => !inLast.has(pid) && !known.has(pid))
    if (born.length === 0) return results
    for (const pid of born) known.add(pid)
    const found = await Promise.allSettled(born.map((pid) => identify(pid)))
    const children = found.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    await moveEach(directories, children, force)
  }
}

/** None of a group that has vanished, which each result tells. */
const pidsIn = (directory: string): Promise<number[]> => readProcesses(directory).catch(() => [])

async function moveEach(
  directories: readonly string[],
  targets: readonly ProcessIdentity[],
  force: boolean,
): Promise<ControlResult[]> {
  const results: ControlResult[] = []
  for (const target of targets) {
    const { pid } = target
    try {
      await moveOne(directories, target, force)
      results.push({ pid, ok: true })
    } catch (error) {
      if (!(error instanceof ProcmusterError)) throw error
      results.push({ pid, ok: false, error })
    }
  }
  return results
}

// A group takes a pid and not a pidfd: the process is held, so that what died meanwhile is told apart afterwards.
async function moveOne(
  directories: readonly string[],
  target: ProcessIdentity,
  force: boolean,
): Promise<void> {
  using handle = await ProcessHandle.open(target)
  const gone = (step: Step) => stepError(target, 'move to a control group', ESRCH, step)!
  if (handle.isProtected && !force && target.pid !== process.pid) throw gone(Step.protected)
  if (handle.hasExited) throw gone(Step.act)
  for (const directory of directories) {
    try {
      await writeControl(directory, 'cgroup.procs', String(target.pid), {
        EBUSY: 'version 2 takes no processes where controllers are handed down; move it into a group below',
        EINVAL: 'it takes no such process, a kernel thread or a real-time one without a budget there',
      })
    } catch (error) {
      if (handle.hasExited) throw gone(Step.goneDuring)
      throw error
    }
  }
  if (handle.hasExited) throw gone(Step.goneDuring)
}

const ESRCH = 3
