import { ProcmusterError } from '../public/errors.js'
import { EXIT, type ExitCode, exitCodeOf } from './exit_codes.js'
import { escapeForTerminal } from './terminal.js'

/** One thing wrong with what the user gave: flag, value, reason and way out in one line. */
export interface Fault {
  readonly exitCode: ExitCode
  readonly message: string
}

/** Ends the command; every fault gets a line on stderr, the first one decides the exit code. */
export class FaultsError extends Error {
  readonly faults: readonly [Fault, ...Fault[]]

  constructor(faults: readonly [Fault, ...Fault[]]) {
    super(faults.map((fault) => fault.message).join('\n'))
    this.faults = faults
  }
}

export function fail(exitCode: ExitCode, message: string): never {
  throw new FaultsError([{ exitCode, message }])
}

/** Collects faults, so that one run names all of them. */
export class FaultList {
  readonly #faults: Fault[] = []

  add(exitCode: ExitCode, message: string): undefined {
    this.#faults.push({ exitCode, message })
    return undefined
  }

  throwIfAny(): void {
    const [first, ...rest] = this.#faults
    if (first) throw new FaultsError([first, ...rest])
  }
}

/** The faults behind any error: its own, or one line made of it. */
export function faultsOf(error: unknown): readonly [Fault, ...Fault[]] {
  if (error instanceof FaultsError) return error.faults
  const exitCode = error instanceof ProcmusterError ? (exitCodeOf[error.code] ?? EXIT.failure) : EXIT.failure
  return [{ exitCode, message: messageOf(error) }]
}

/** One line, fit for a terminal. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return escapeForTerminal(text.replaceAll(/\s*\n\s*/g, '; '))
}
