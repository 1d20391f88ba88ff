import { identityKey, type ProcessIdentity } from '../table/identity.js'
import { wordedDuration } from '../words.js'
import { backoffMs } from './backoff.js'
import type { GovernorSettings } from './governor_options.js'
import type {
  AttemptEnd,
  GovernorBound,
  GovernorParts,
  RestartRequest,
  Resumption,
  Suspension,
  Verdict,
} from './governor_types.js'
import { fraction } from './jitter.js'
import { flapsWithin, type Lineage, Lineages, type Who } from './lineages.js'
import { LruMap } from './lru_map.js'
import { type Relief, ReliefLedger } from './relief.js'
import { RestartLog } from './restart_log.js'
import { Suspensions } from './suspensions.js'

interface Running {
  readonly rule: string
  readonly group: string | undefined
  readonly lineage: Lineage
  /** As the logs have it. */
  readonly atMs: number
}

interface RuleState {
  readonly log: RestartLog
  readonly ledger: ReliefLedger
  lastRelievedMs: number
}

const KEPT_LINEAGES = 10_000
const KEPT_GROUPS = 10_000
const KEPT_RULES = 10_000

/**
 * Decides which restarts may be done now. Pure: no clock, no I/O; it is told the time, which never goes back, and
 * what came of what it let pass. Its memory is bounded whatever happens.
 */
export class Governor {
  readonly settings: GovernorSettings
  readonly #parts: GovernorParts
  readonly #running = new Map<string, Running>()
  readonly #log = new RestartLog()
  readonly #groups = new LruMap<RestartLog>(KEPT_GROUPS)
  readonly #rules = new LruMap<RuleState>(KEPT_RULES)
  readonly #lineages = new Lineages(KEPT_LINEAGES)
  readonly #suspensions: Suspensions

  constructor(settings: GovernorSettings, parts: GovernorParts) {
    this.settings = settings
    this.#parts = parts
    this.#suspensions = new Suspensions({
      onChange: (change) => parts.onChange(change),
      onRuleResumed: (rule) => this.#forgetRelief(rule),
    })
  }

  /** Restarts under way. */
  get running(): number {
    return this.#running.size
  }

  /** Whether nothing can be begun before something ends. */
  get isFull(): boolean {
    return this.#running.size >= this.settings.concurrent
  }

  /** What is suspended. */
  get suspensions(): Suspension[] {
    return this.#suspensions.all
  }

  /** Whether the restart may be begun now; `began` has to be told if it is. */
  admit(request: RestartRequest, nowMs: number): Verdict {
    if (this.#running.has(identityKey(request.identity)))
      return wait('busy', 'the process is being restarted')
    return (
      this.#refusal(request, nowMs) ??
      this.#pause(request, nowMs) ??
      this.#tooManyNow(request) ??
      this.#tooManyInWindow(request, nowMs) ??
      this.#tooFewHealthy(request) ??
      this.#hostVerdict(request, nowMs)
    )
  }

  began(
    { rule, identity, name, group }: Pick<RestartRequest, 'rule' | 'identity' | 'name' | 'group'>,
    nowMs: number,
  ): void {
    const atMs = this.#log.add(nowMs)
    this.#rule(rule).log.add(atMs)
    if (group !== undefined) this.#groups.ensure(group, () => new RestartLog()).add(atMs)
    const lineage = this.#lineages.began({ identity, name }, atMs)
    this.#running.set(identityKey(identity), { rule, group, lineage, atMs })
  }

  /** The attempt is over; a successor goes on with the record of the process. */
  ended(
    identity: ProcessIdentity,
    end: AttemptEnd,
    successor: ProcessIdentity | undefined,
    nowMs: number,
  ): void {
    const running = this.#running.get(identityKey(identity))
    if (running === undefined) return
    this.#running.delete(identityKey(identity))
    const { rule, group, lineage, atMs } = running
    if (end === 'refused' || end === 'given-up') {
      // Nothing was restarted, so it is nothing that the windows count.
      this.#log.remove(atMs)
      this.#rule(rule).log.remove(atMs)
      if (group !== undefined) this.#groups.get(group)?.remove(atMs)
      const index = lineage.restarts.lastIndexOf(atMs)
      if (index >= 0) lineage.restarts.splice(index, 1)
    }
    if (end === 'given-up') return
    lineage.attempts++
    lineage.lastEndedMs = nowMs
    if (end !== 'done' || successor === undefined) return
    this.#lineages.succeeded(identity, successor)
    this.#rule(rule).ledger.restarted(identityKey(successor))
  }

  /** What the restart brought that the successor came from. */
  judged(rule: string, successor: ProcessIdentity, relief: Relief, rearmMs: number, nowMs: number): void {
    const state = this.#rule(rule)
    state.ledger.judged(identityKey(successor), relief)
    const lineage = this.#lineages.get(successor)
    if (relief === true) {
      state.lastRelievedMs = nowMs
      lineage?.unrelieved.delete(rule)
    }
    if (relief !== false) return
    const untilMs = nowMs + rearmMs
    const who = lineage?.who
    const { suspendAfter } = this.settings
    if (lineage !== undefined && this.#inVain(lineage, rule, nowMs) >= suspendAfter) {
      const since = lineage.unrelieved.get(rule)!.sinceMs
      lineage.unrelieved.delete(rule)
      const times = `${suspendAfter} restarts in a row of one process and its successors brought no relief`
      // Where the rule's restarts help others, only this process is left alone.
      if (state.lastRelievedMs > since) this.#giveUp(lineage, rule, `${times}, others did`, untilMs)
      else this.#suspend(rule, who, times, untilMs)
    } else if (state.ledger.longestRun >= suspendAfter) {
      const reason = `${suspendAfter} restarts in a row, of whichever process, brought no relief`
      this.#suspend(rule, who, reason, untilMs)
    }
  }

  /** Lets go on what has waited long enough. */
  tick(nowMs: number): void {
    this.#suspensions.tick(nowMs)
  }

  /** Ends the suspension of a rule, and tries again what was given up for it; false when there is neither. */
  resume(rule: string): boolean {
    return this.#suspensions.resume(rule)
  }

  /** Between 0 and `jitterMs`, always the same for one process and seed. */
  jitterOf({ identity, limits }: Pick<RestartRequest, 'identity' | 'limits'>): number {
    return limits.jitterMs * fraction(this.settings.seed, identityKey(identity))
  }

  /** From a journal: this was suspended. */
  restore(suspension: Suspension): void {
    this.#suspensions.restore(suspension, this.#lineageOf(suspension.who))
  }

  /** From a journal: this was resumed. */
  restoreResumed(resumption: Pick<Resumption, 'scope' | 'rule' | 'who'>): void {
    this.#suspensions.restoreResumed(resumption, this.#lineageOf(resumption.who))
  }

  /** From a journal: all times so far were so much later, or earlier, by the clock that is handed in from now on. */
  shift(ms: number): void {
    this.#log.shift(ms)
    for (const log of this.#groups.values()) log.shift(ms)
    for (const state of this.#rules.values()) {
      state.log.shift(ms)
      state.lastRelievedMs += ms
    }
    for (const [key, running] of this.#running)
      this.#running.set(key, { ...running, atMs: running.atMs + ms })
    this.#lineages.shift(ms)
    this.#suspensions.shift(ms)
  }

  /** After a boot, or in another container, pids name others. */
  forgetProcesses(): void {
    this.#running.clear()
    this.#lineages.clear()
    this.#suspensions.forgetProcesses()
  }

  #refusal(request: RestartRequest, nowMs: number): Verdict | undefined {
    const { rule, identity, limits } = request
    const suspended = this.#suspensions.ofRule(rule)
    if (suspended !== undefined && nowMs < suspended.untilMs) {
      const why = `restarts of the rule are suspended: ${suspended.reason}`
      return { kind: 'refused', bound: 'suspended', why, untilMs: suspended.untilMs }
    }
    const lineage = this.#lineages.get(identity)
    if (lineage === undefined) return undefined
    // Quiet is measured up to this breach, not to the end of whatever it waited for.
    if (request.sinceMs - lineage.lastEndedMs >= limits.successMs) lineage.attempts = 0
    const { flapMax, flapWindowMs, rearmMs } = limits
    if (lineage.gaveUp === undefined && flapsWithin(lineage, flapWindowMs, nowMs) >= flapMax) {
      const reason = `restarted ${flapMax} times within ${wordedDuration(flapWindowMs)}, and it breaches again`
      this.#giveUp(lineage, rule, reason, nowMs + rearmMs)
    }
    if (lineage.gaveUp === undefined) return undefined
    const { untilMs, reason } = lineage.gaveUp
    return { kind: 'refused', bound: 'gave-up', why: `the process was given up: ${reason}`, untilMs }
  }

  #pause(request: RestartRequest, nowMs: number): Verdict | undefined {
    const lineage = this.#lineages.get(request.identity)
    const { backoffFirstMs: firstMs, backoffMaxMs: maxMs } = request.limits
    if (lineage !== undefined) {
      const untilMs = lineage.lastEndedMs + backoffMs(lineage.attempts, { firstMs, maxMs })
      if (nowMs < untilMs)
        return wait('backoff', `attempt ${lineage.attempts + 1} has to wait for the backoff`, untilMs)
    }
    if (!request.inBurst) return undefined
    const untilMs = request.wantedMs + this.jitterOf(request)
    return nowMs < untilMs ? wait('jitter', 'spread, since others come with it', untilMs) : undefined
  }

  #tooManyNow({ rule, group, limits }: RestartRequest): Verdict | undefined {
    const { concurrent } = this.settings
    if (this.#running.size >= concurrent)
      return wait('host-concurrent', `${concurrent} at the same time is the most for the host`)
    let ofRule = 0
    let ofGroup = 0
    for (const running of this.#running.values()) {
      if (running.rule === rule) ofRule++
      if (group !== undefined && running.group === group) ofGroup++
    }
    if (ofRule >= (limits.concurrent ?? concurrent))
      return wait('rule-concurrent', `${ofRule} at the same time is the most for the rule`)
    if (group !== undefined && ofGroup >= (limits.perGroup?.max ?? concurrent))
      return wait('group-concurrent', `${ofGroup} at the same time is the most for ${group}`)
    return undefined
  }

  #tooManyInWindow({ rule, group, limits }: RestartRequest, nowMs: number): Verdict | undefined {
    const { perWindow, perGroupWindow } = limits
    const ofRule = perWindow && this.#rules.get(rule)?.log.freeAtMs(perWindow)
    if (ofRule !== undefined && ofRule > nowMs)
      return wait(
        'rule-window',
        `${perWindow!.max} in ${wordedDuration(perWindow!.windowMs)} is the most for the rule`,
        ofRule,
      )
    const log = group === undefined ? undefined : this.#groups.get(group)
    const ofGroup = perGroupWindow && log?.freeAtMs(perGroupWindow)
    if (ofGroup === undefined || ofGroup <= nowMs) return undefined
    const { max, windowMs } = perGroupWindow!
    return wait('group-window', `${max} in ${wordedDuration(windowMs)} is the most for ${group}`, ofGroup)
  }

  #tooFewHealthy({ rule, group, identity, limits: { minHealthy } }: RestartRequest): Verdict | undefined {
    if (minHealthy === undefined) return undefined
    const members = this.#parts.members(rule, group)
    if (members === undefined) return wait('min-healthy', 'how many members there are is not known yet')
    // A process under restart can be among the members or gone from them: it is counted once, as not healthy.
    let healthy = members.size - (members.has(identityKey(identity)) ? 1 : 0)
    let under = 0
    for (const [member, running] of this.#running) {
      if (members.has(member)) healthy--
      if (isAmong(running, rule, group)) under++
    }
    const total = healthy + under + 1
    const least = typeof minHealthy === 'number' ? minHealthy : Math.ceil((minHealthy.percent / 100) * total)
    if (healthy >= least) return undefined
    return wait('min-healthy', `${healthy} of ${total} would be left, ${least} have to be`)
  }

  #hostVerdict({ rule, identity, name }: RestartRequest, nowMs: number): Verdict {
    let stop = this.#suspensions.ofHost(nowMs)
    if (stop === undefined) {
      const { perWindow, coolMs } = this.settings
      const freeAtMs = this.#log.freeAtMs(perWindow)
      if (freeAtMs <= nowMs) return { kind: 'now' }
      const reason = `${perWindow.max} restarts within ${wordedDuration(perWindow.windowMs)} on this host, and more are asked for`
      const untilMs = Math.max(nowMs + coolMs, freeAtMs)
      stop = { kind: 'suspended', scope: 'host', rule, who: { identity, name }, reason, untilMs }
      this.#suspensions.suspend(stop)
    }
    const { reason, untilMs } = stop
    return wait('host-stop', `all restarts wait: ${reason}`, untilMs)
  }

  /** Restarts of the rule in a row, of this lineage, that brought no relief; one more than before. */
  #inVain(lineage: Lineage, rule: string, nowMs: number): number {
    const before = lineage.unrelieved.get(rule) ?? { count: 0, sinceMs: nowMs }
    const count = before.count + 1
    lineage.unrelieved.set(rule, { ...before, count })
    return count
  }

  #suspend(rule: string, who: Who | undefined, reason: string, untilMs: number): void {
    if (this.#suspensions.ofRule(rule) !== undefined) return
    this.#suspensions.suspend({ kind: 'suspended', scope: 'rule', rule, who, reason, untilMs })
  }

  #giveUp(lineage: Lineage, rule: string, reason: string, untilMs: number): void {
    const { who } = lineage
    this.#suspensions.suspend({ kind: 'suspended', scope: 'process', rule, who, reason, untilMs }, lineage)
  }

  /** A rule that is resumed begins anew. */
  #forgetRelief(rule: string): void {
    this.#rule(rule).ledger.clear()
    for (const lineage of this.#lineages.all) lineage.unrelieved.delete(rule)
  }

  #lineageOf(who: Who | undefined): Lineage | undefined {
    return who && this.#lineages.get(who.identity)
  }

  #rule(rule: string): RuleState {
    return this.#rules.ensure(rule, () => ({
      ...{ log: new RestartLog(), ledger: new ReliefLedger(), lastRelievedMs: Number.NEGATIVE_INFINITY },
    }))
  }
}

function isAmong(running: Running, rule: string, group: string | undefined): boolean {
  return group === undefined ? running.rule === rule : running.group === group
}

function wait(bound: GovernorBound, why: string, untilMs?: number): Verdict {
  return { kind: 'wait', bound, why, untilMs }
}
