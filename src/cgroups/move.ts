import { ProcessHandle } from '../control/handle.js'
import { type ControlResult, Step, stepError } from '../control/results.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { writeControl } from './files.js'

/** Moves each target into these directories, one of each tree. */
export async function moveInto(
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
