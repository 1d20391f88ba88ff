import { identify } from '../public/control.js'
import { ProcmusterError } from '../public/errors.js'
import { EXIT } from './exit_codes.js'
import { type Fault, fail, messageOf } from './fault.js'

/** What is said of one that no sample has: it is not there, or this /proc hides it. */
export async function faultOfUnseen(pid: number, message: string): Promise<Fault> {
  const isHidden = (error: unknown) => error instanceof ProcmusterError && error.code === 'ACCESS_DENIED'
  const error = await identify(pid).then(undefined, (error: unknown) => error)
  return isHidden(error)
    ? { exitCode: EXIT.permission, message: messageOf(error) }
    : { exitCode: EXIT.noSuchProcess, message }
}

/** Ends the command over those that no sample has. */
export async function failUnseen(pids: readonly number[], flag?: string): Promise<never> {
  const message = noSuchProcess(pids.join(','), flag)
  const faults = await Promise.all(pids.map((pid) => faultOfUnseen(pid, message)))
  const hidden = faults.find(({ exitCode }) => exitCode === EXIT.permission)
  return fail(hidden?.exitCode ?? EXIT.noSuchProcess, hidden?.message ?? message)
}

/** What is said of PIDs that nobody has. */
export const noSuchProcess = (pids: number | string, flag = 'PID'): string =>
  `${flag} ${pids}: no such process; \`muster ps\` lists those there are`
