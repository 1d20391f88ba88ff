import { identify } from '../../public/control.js'
import { ProcmusterError } from '../../public/errors.js'
import type { ProcessIdentity } from '../../public/table.js'
import type { FaultList } from '../fault.js'
import { PID_MAX, readNumber, splitList } from '../values.js'

/** What became of one process; `ok` ones have more to tell. */
export type Outcome = { readonly pid: number; readonly ok: true } | Failed

export interface Failed {
  readonly pid: number
  readonly ok: false
  readonly error: ProcmusterError
}

/** Each pid that was named, once, in order. */
export function pidsOf(words: readonly string[], faults: FaultList): number[] {
  const number = { flag: 'PID', wanted: `a PID from 1 to ${PID_MAX}`, min: 1, max: PID_MAX, integer: true }
  const parts = words.flatMap((word) => (word.trim() === '' ? [word] : splitList(word)))
  return [...new Set(parts.flatMap((part) => readNumber(part, number, faults) ?? []))]
}

/** Who has these pids now. */
export class Targets {
  readonly identities: readonly ProcessIdentity[]
  readonly #pids: readonly number[]
  readonly #failures: ReadonlyMap<number, ProcmusterError>

  private constructor(
    pids: readonly number[],
    identities: readonly ProcessIdentity[],
    failures: ReadonlyMap<number, ProcmusterError>,
  ) {
    this.#pids = pids
    this.identities = identities
    this.#failures = failures
  }

  static async identify(pids: readonly number[]): Promise<Targets> {
    const identities: ProcessIdentity[] = []
    const failures = new Map<number, ProcmusterError>()
    const found = await Promise.allSettled(pids.map((pid) => identify(pid)))
    found.forEach((result, index) => {
      if (result.status === 'fulfilled') identities.push(result.value)
      else if (result.reason instanceof ProcmusterError) failures.set(pids[index]!, result.reason)
      else throw result.reason
    })
    return new Targets(pids, identities, failures)
  }

  /** Those that were not there. */
  get failed(): Failed[] {
    return [...this.#failures].map(([pid, error]) => ({ pid, ok: false, error }))
  }

  /** The results of those that were there, in the order of the pids, with the failures of the others. */
  merge<Result extends Outcome>(results: readonly Result[]): (Result | Failed)[] {
    const byPid = new Map(results.map((result) => [result.pid, result]))
    return this.#pids.map((pid) => {
      const error = this.#failures.get(pid)
      return error === undefined ? byPid.get(pid)! : { pid, ok: false as const, error }
    })
  }
}

/** The outcome of something that throws. */
export async function outcomeOf<Details extends object>(
  pid: number,
  act: () => Promise<Details>,
): Promise<({ pid: number; ok: true } & Details) | Failed> {
  try {
    return { ...(await act()), pid, ok: true }
  } catch (error) {
    if (!(error instanceof ProcmusterError)) throw error
    return { pid, ok: false, error }
  }
}
