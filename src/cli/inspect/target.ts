import { uptime } from 'node:os'
import { identify } from '../../public/control.js'
import { ProcmusterError } from '../../public/errors.js'
import type { ProcessIdentity } from '../../public/table.js'
import { EXIT } from '../exit_codes.js'
import { type FaultList, fail } from '../fault.js'
import { noSuchProcess } from '../no_such_process.js'
import { escapeForTerminal } from '../terminal.js'
import { PID_MAX, readNumber } from '../values.js'

/** The PID that a command is about; what is wrong goes into `faults`. */
export function readPid(word: string | undefined, faults: FaultList): number | undefined {
  const wanted = `a PID from 1 to ${PID_MAX}; \`muster ps\` lists those there are`
  if (word === undefined) return faults.add(EXIT.usage, `it is not said which process; give ${wanted}`)
  return readNumber(word, { flag: 'PID', wanted, min: 1, max: PID_MAX, integer: true }, faults)
}

/** Looks into a process, with one line for each way in which that can fail. */
export async function lookInto<T>(pid: number, look: (target: ProcessIdentity) => Promise<T>): Promise<T> {
  let target: ProcessIdentity | undefined
  try {
    target = await identify(pid)
    return await look(target)
  } catch (error) {
    if (!(error instanceof ProcmusterError)) throw error
    if (error.code === 'PROCESS_GONE') {
      fail(EXIT.noSuchProcess, target === undefined ? noSuchProcess(pid) : `PID ${pid}: it has ended`)
    }
    if (error.code === 'ACCESS_DENIED') {
      const file = escapeForTerminal(error.path ?? `/proc/${pid}`)
      const hint =
        process.getuid?.() === 0
          ? 'a container, or a security module, keeps it from root too'
          : 'run as the user of the process, or as root'
      fail(EXIT.permission, `PID ${pid}: ${file} is not for this user to read; ${hint}`)
    }
    throw error
  }
}

const TICKS_PER_SECOND = 100 // USER_HZ, part of the kernel's ABI on x64 and arm64

/** How long it has been there by now. */
export const ageSeconds = ({ startTicks }: ProcessIdentity): number =>
  Math.max(0, uptime() - startTicks / TICKS_PER_SECOND)
