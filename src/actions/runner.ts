import { randomBytes } from 'node:crypto'
import type { GovernedBody } from '../journal/action_records.js'
import type { GroupKind } from '../rules/language/ast.js'
import type { Severity, Step } from '../rules/schema/rule.js'
import { identityKey, type ProcessIdentity } from '../table/identity.js'
import { attemptEnd } from './attempt_end.js'
import type { ActionContext, ActionReport, ActionTarget } from './context.js'
import { refuse, runAction } from './dispatch.js'
import type { Governor } from './governor.js'
import type { EffectiveLimits } from './governor_options.js'
import type { Verdict } from './governor_types.js'
import type { ReplaceTrouble } from './replace.js'
import { RestartQueue, type WantedRestart } from './restart_queue.js'

/** Chains that may wait for one process; several rules can fire on it at once. */
const MAX_CHAINS_PER_TARGET = 16

export interface RunnerOptions {
  readonly governor: Governor
  /** The clock of the ticks. */
  readonly now: () => number
  readonly limitsOf: (rule: string) => { readonly limits: EffectiveLimits; readonly severity: Severity }
  /** What the process has in common with others, as one text; undefined where that is not known. */
  readonly groupOf: (identity: ProcessIdentity, by: GroupKind) => Promise<string | undefined>
  /** Its memory in the last sample. */
  readonly rssBytesOf: (identity: ProcessIdentity) => number | undefined
  /** Why a step is not done: an earlier run of the engine has. */
  readonly whyNot: (target: ActionTarget, step: Step) => string | undefined
  readonly onReport: (report: ActionReport) => void
  readonly onTrouble: (target: ActionTarget, trouble: ReplaceTrouble) => void
  /** The largest member of a group is gone, or another rule has restarted it: its restart was not done. */
  readonly onLost: (target: ActionTarget, step: Step) => void
  /** The governor put a restart off, or refused it. */
  readonly onGoverned: (governed: GovernedBody) => void
  /** Whether the breach still lasts; a restart that waited for its turn is not done for one that is over. */
  readonly stillWanted: (target: ActionTarget) => boolean
}

interface TargetQueue {
  chains: number
  tail: Promise<void>
}

interface Restart {
  readonly target: ActionTarget
  readonly step: Step
}

/**
 * Runs the actions of decisions: in order for one process, side by side for different ones; restarts when the governor
 * lets them, and what else is to be done does not wait for that. Ticks never wait for it.
 */
export class ActionRunner {
  readonly #context: ActionContext
  readonly #options: RunnerOptions
  readonly #restarts: RestartQueue<Restart>
  readonly #queues = new Map<string, TargetQueue>()
  /** Tells this run of an engine from all others, in the ids of decisions and actions. */
  readonly run = randomBytes(4).toString('hex')
  #actions = 0
  #passDue = false

  constructor(context: ActionContext, options: RunnerOptions) {
    this.#context = context
    this.#options = options
    this.#restarts = new RestartQueue(options.governor, {
      stillWanted: ({ payload }) => options.stillWanted(payload.target),
      onPutOff: (wanted, verdict) => this.#putOff(wanted, verdict),
      onDropped: ({ payload: { target, step } }, why) => {
        this.#refuse(target, step, why)
      },
      onRestarted: ({ payload: { target, step } }, byRule, isTold) => {
        if (!isTold)
          this.#refuse(target, step, `rule ${JSON.stringify(byRule)} has restarted the process meanwhile`)
        this.#lost(target, step)
      },
    })
  }
  submit(target: ActionTarget, steps: readonly Step[]): void {
    if (steps.length === 0) return
    const queue = this.#queues.get(identityKey(target.identity))
    if (queue !== undefined && queue.chains >= MAX_CHAINS_PER_TARGET) {
      for (const step of steps) this.#refuse(target, step, 'too many actions wait for this process already')
      return
    }
    this.enqueue(target.identity, () => this.#runChain(target, steps))
  }

  /** Does something to a process when all that was asked for it before is over. */
  enqueue(identity: ProcessIdentity, work: () => Promise<void>): void {
    const key = identityKey(identity)
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

  /** Begins the restarts whose turn it is. */
  tick(nowMs: number): void {
    if (this.#context.closing.aborted) return
    for (const wanted of this.#restarts.pass(nowMs)) {
      this.enqueue(wanted.request.identity, () => this.#restart(wanted))
    }
  }

  /** Something that restarts waited for may be over. */
  askAgain(): void {
    this.#restarts.askAgain()
    this.#passSoon()
  }

  /** Resolves when nothing is under way or waits. `context.closing` has to be aborted first. */
  async settled(): Promise<void> {
    while (this.#queues.size > 0 || this.#restarts.waiting > 0) {
      for (const { payload } of this.#restarts.drain()) {
        this.#refuse(payload.target, payload.step, 'the engine is closing', 'interrupted')
      }
      await Promise.all([...this.#queues.values()].map((queue) => queue.tail))
    }
  }

  nextActionId(): string {
    return `${this.run}-${++this.#actions}`
  }

  async #runChain(target: ActionTarget, steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      const isSaidOnly = this.#context.dryRun || target.dryRun
      const whyNot = isSaidOnly ? undefined : this.#options.whyNot(target, step)
      if (whyNot !== undefined) this.#refuse(target, step, whyNot)
      else if (step.type === 'restart' && !isSaidOnly) await this.#want(target, step)
      else await this.#runOne(target, step)
    }
  }

  async #want(target: ActionTarget, step: Step): Promise<void> {
    const { rule, identity, name, rssBytes, sinceMs, largestOf } = target
    const { limits, severity } = this.#options.limitsOf(rule)
    const { perGroup } = limits
    const group = perGroup && (await this.#options.groupOf(identity, perGroup.by))
    if (this.#context.closing.aborted) {
      this.#refuse(target, step, 'the engine is closing', 'interrupted')
      return
    }
    const wantedMs = this.#options.now()
    const head = { rule, identity, name, largestOf, group }
    const request = { ...head, severity, rssBytes, sinceMs, wantedMs, limits }
    this.#restarts.want(request, { target: { ...target, group }, step })
    this.#passSoon()
  }

  /** After all that comes in the same turn of the loop, so that of a burst the largest is first. */
  #passSoon(): void {
    if (this.#passDue) return
    this.#passDue = true
    setImmediate(() => {
      this.#passDue = false
      try {
        this.tick(this.#options.now())
      } catch (error) {
        this.#context.onError(error)
      }
    })
  }

  async #restart(wanted: WantedRestart<Restart>): Promise<void> {
    const { target, step } = wanted.payload
    const rssBytes = this.#options.rssBytesOf(target.identity) ?? target.rssBytes
    let report: ActionReport | undefined
    try {
      report = await this.#runOne({ ...target, rssBytes }, step)
      if (report?.error?.code === 'PROCESS_GONE') this.#lost(target, step)
    } finally {
      this.#restarts.ended(wanted, attemptEnd(report), report?.successor, this.#options.now())
      this.#passSoon()
    }
  }

  #putOff(
    { payload: { target, step } }: WantedRestart<Restart>,
    verdict: Exclude<Verdict, { kind: 'now' }>,
  ): void {
    const { rule, identity, name, decisionId, group } = target
    const { kind, bound, why: reason, untilMs } = verdict
    const head = { type: 'governed', decisionId, action: 'restart', rule, identity, name } as const
    this.#options.onGoverned({
      ...head,
      verdict: kind === 'wait' ? 'put-off' : 'refused',
      ...{ bound, reason, untilMs, group },
    })
    if (kind === 'refused') this.#refuse(target, step, reason)
  }

  async #runOne(target: ActionTarget, step: Step): Promise<ActionReport | undefined> {
    const onTrouble = (trouble: ReplaceTrouble) => this.#options.onTrouble(target, trouble)
    const report = await runAction(this.#context, this.nextActionId(), target, step, onTrouble)
    if (report !== undefined) this.#options.onReport(report)
    return report
  }

  #lost(target: ActionTarget, step: Step): void {
    if (target.largestOf !== undefined) this.#options.onLost(target, step)
  }

  #refuse(
    target: ActionTarget,
    step: Step,
    reason: string,
    status: 'refused' | 'interrupted' = 'refused',
  ): void {
    const { rule, identity, name, decisionId } = target
    const head = { actionId: this.nextActionId(), decisionId, action: step.type, rule, identity, name }
    this.#options.onReport(refuse(this.#context, head, status, reason))
  }
}
