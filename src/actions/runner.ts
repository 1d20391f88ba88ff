import { randomBytes } from 'node:crypto'
import type { ActionSpec } from '../rules/schema/rule.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { ActionContext, ActionReport, ActionTarget } from './context.js'
import { refuse, runAction } from './dispatch.js'
import { Backoff, type BackoffOptions, RestartGate } from './governor.js'
import type { ReplaceTrouble } from './replace.js'

/** Chains that may wait for one process; several rules can fire on it at once. */
const MAX_CHAINS_PER_TARGET = 16

export interface RunnerOptions {
  readonly maxConcurrentRestarts: number
  /** Pause after a refused or failed restart of a process. */
  readonly restartBackoff: BackoffOptions
  readonly onReport: (report: ActionReport) => void
  readonly onTrouble: (target: ActionTarget, trouble: ReplaceTrouble) => void
  /** Whether the breach still lasts; a restart that waited for its turn is not done for one that is over. */
  readonly stillWanted: (target: ActionTarget) => boolean
}

interface TargetQueue {
  chains: number
  tail: Promise<void>
}

/** Runs the actions of decisions: in order for one process, side by side for different ones. Ticks never wait for it. */
export class ActionRunner {
  readonly #context: ActionContext
  readonly #options: RunnerOptions
  readonly #gate: RestartGate
  readonly #backoff: Backoff
  readonly #queues = new Map<string, TargetQueue>()
  /** Tells this run of an engine from all others, in the ids of decisions and actions. */
  readonly run = randomBytes(4).toString('hex')
  #actions = 0

  constructor(context: ActionContext, options: RunnerOptions) {
    this.#context = context
    this.#options = options
    this.#gate = new RestartGate(options.maxConcurrentRestarts)
    this.#backoff = new Backoff(options.restartBackoff)
  }

  /** Whether something is being done, or waits to be done, to this very process. */
  isBusy(identity: ProcessIdentity): boolean {
    return this.#queues.has(targetKey(identity))
  }

  submit(target: ActionTarget, specs: readonly ActionSpec[]): void {
    if (specs.length === 0) return
    const queue = this.#queues.get(targetKey(target.identity))
    if (queue !== undefined && queue.chains >= MAX_CHAINS_PER_TARGET) {
      for (const spec of specs) this.#refuse(target, spec, 'too many actions wait for this process already')
      return
    }
    this.enqueue(target.identity, () => this.#runChain(target, specs))
  }

  /** Does something to a process when all that was asked for it before is over. */
  enqueue(identity: ProcessIdentity, work: () => Promise<void>): void {
    const key = targetKey(identity)
    const queue = this.#queues.get(key) ?? { chains: 0, tail: Promise.resolve() }
    this.#queues.set(key, queue)
    queue.chains++
    queue.tail = queue.tail
      .then(work)
      .catch(this.#context.onError)
      .then(() => {
        if (--queue.chains === 0) this.#queues.delete(key)
      })
  }

  /** Resolves when nothing is under way. Abort `context.closing` first to hurry what waits. */
  async settled(): Promise<void> {
    while (this.#queues.size > 0) await Promise.all([...this.#queues.values()].map((queue) => queue.tail))
  }

  /** A successor starts with a clean record. */
  forget(identity: ProcessIdentity): void {
    this.#backoff.forget(targetKey(identity))
  }

  nextActionId(): string {
    return `${this.run}-${++this.#actions}`
  }

  async #runChain(target: ActionTarget, specs: readonly ActionSpec[]): Promise<void> {
    for (const spec of specs) {
      if (spec.type === 'restart') await this.#restart(target, spec)
      else await this.#runOne(target, spec)
    }
  }

  async #restart(target: ActionTarget, spec: ActionSpec): Promise<void> {
    const { dryRun, closing } = this.#context
    if (dryRun) {
      await this.#runOne(target, spec)
      return
    }
    const key = targetKey(target.identity)
    const waitMs = this.#backoff.remainingMs(key, performance.now())
    if (waitMs > 0) {
      this.#refuse(
        target,
        spec,
        `its last restart did not succeed; not tried again for ${Math.ceil(waitMs)} ms`,
      )
      return
    }
    const waits = this.#gate.isFull
    let leave: () => void
    try {
      leave = await this.#gate.enter(closing)
    } catch {
      this.#refuse(target, spec, 'the engine is closing', 'interrupted')
      return
    }
    try {
      if (waits && !this.#options.stillWanted(target)) {
        this.#refuse(target, spec, 'the breach was over before its turn came')
        return
      }
      const report = await this.#runOne(target, spec)
      if (report?.status === 'done') this.#backoff.forget(key)
      else if (report?.status === 'refused' || report?.status === 'failed')
        this.#backoff.failed(key, performance.now())
    } finally {
      leave()
    }
  }

  async #runOne(target: ActionTarget, spec: ActionSpec): Promise<ActionReport | undefined> {
    const onTrouble = (trouble: ReplaceTrouble) => this.#options.onTrouble(target, trouble)
    const report = await runAction(this.#context, this.nextActionId(), target, spec, onTrouble)
    if (report !== undefined) this.#options.onReport(report)
    return report
  }

  #refuse(
    target: ActionTarget,
    spec: ActionSpec,
    reason: string,
    status: 'refused' | 'interrupted' = 'refused',
  ): void {
    const { rule, identity, name, decisionId } = target
    const head = { actionId: this.nextActionId(), decisionId, action: spec.type, rule, identity, name }
    this.#options.onReport(refuse(this.#context, head, status, reason))
  }
}

function targetKey({ pid, startTicks }: ProcessIdentity): string {
  return `${pid}:${startTicks}`
}
