import type { ActionReport, ActionTarget } from '../actions/context.js'
import type { RestartResult } from '../actions/replace.js'
import { signalName, signalNumber } from '../control/signal_names.js'
import type { ActionSpec } from '../rules/schema/rule.js'
import { identityKey, type ProcessIdentity } from '../table/identity.js'
import type { Outcomes } from './outcomes.js'

/** Signals that a process is meant to end by: INT, QUIT, ABRT, KILL, TERM. */
const ENDING_SIGNALS = [2, 3, 6, 9, 15]

/** What was known of a process when something began to be done to it that ends it. */
interface Before {
  readonly rssBytes: number | undefined
  readonly hostAvailableBytes: number | undefined
  readonly isAboutMemory: boolean
  /** Of a signal, its name. */
  readonly endedBy: string | undefined
}

interface EndingsParts {
  readonly outcomes: Pick<Outcomes, 'track'>
  readonly hostAvailableBytes: () => number | undefined
}

/** Actions under way that processes end by, from what was there before to what is to be followed after. */
export class Endings {
  readonly #parts: EndingsParts
  /** By what is done to whom, while it is under way. */
  readonly #before = new Map<string, Before>()

  constructor(parts: EndingsParts) {
    this.#parts = parts
  }

  /** False for an action that no process ends by. */
  begins(target: ActionTarget, action: ActionSpec): boolean {
    if (!endsProcesses(action)) return false
    const { rssBytes, isAboutMemory } = target
    const hostAvailableBytes = this.#parts.hostAvailableBytes()
    const endedBy = action.type === 'signal' ? signalName(signalNumber(action.signal)) : undefined
    this.#before.set(keyOf(action.type, target), { rssBytes, hostAvailableBytes, isAboutMemory, endedBy })
    return true
  }

  /** Undefined when it was refused before it was begun, when an earlier run had begun it, and when no process ends by it. */
  over(report: ActionReport): Before | undefined {
    const key = keyOf(report.action, report)
    const before = this.#before.get(key)
    this.#before.delete(key)
    return before
  }

  /**
   * @param before undefined when an earlier run had begun it
   * @param passedMs since it was done
   */
  follow(
    report: ActionReport,
    successor: ProcessIdentity | undefined,
    before: Before | undefined,
    nowMs: number,
    passedMs = 0,
  ): void {
    const { actionId, action, rule, identity, name, result = {} } = report
    const known = result as Partial<RestartResult>
    const { endedBy = before?.endedBy ?? 'an earlier run', exitedInMs, rssBeforeBytes } = known
    this.#parts.outcomes.track(
      {
        ...{ action: action === 'restart' ? 'restart' : 'signal', actionId, rule, identity, name, successor },
        ...{ exitedInMs, endedBy, isAboutMemory: before?.isAboutMemory ?? true },
        rssBeforeBytes: before?.rssBytes ?? rssBeforeBytes,
        hostAvailableBeforeBytes: before?.hostAvailableBytes,
      },
      nowMs,
      passedMs,
    )
  }
}

function endsProcesses(action: ActionSpec): boolean {
  if (action.type === 'restart') return true
  return action.type === 'signal' && ENDING_SIGNALS.includes(signalNumber(action.signal))
}

function keyOf(
  type: ActionSpec['type'],
  { rule, identity }: Pick<ActionReport, 'rule' | 'identity'>,
): string {
  return `${type}\n${rule}\n${identityKey(identity)}`
}
