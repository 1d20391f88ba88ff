import { totalmem } from 'node:os'
import type { Alarms } from '../alerts/alarms.js'
import { JUDGING_RULE } from '../alerts/alert.js'
import type { PendingBreach } from '../alerts/alerting.js'
import { ProcmusterError } from '../errors.js'
import type { JournalBody } from '../journal/records.js'
import type { Decision } from '../rules/decision.js'
import type { GroupKind } from '../rules/language/ast.js'
import { type Explanation, RuleEngine } from '../rules/rule_engine.js'
import type { RuleEngineOptions } from '../rules/rule_engine_options.js'
import { ALL_PROCESSES, type GroupRef } from '../rules/subject.js'
import { nearestWord } from '../spelling.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { OptionalGroup } from '../table/layout.js'
import type { Table } from '../table/table.js'
import { nameOfUser } from './messages.js'
import type { Rulebook, RuleEntry } from './rulebook.js'

/** Processes that a rule is about. */
export interface RuleMatches {
  readonly rule: string
  readonly count: number
  /** The first of them. */
  readonly processes: readonly { readonly identity: ProcessIdentity; readonly name: string }[]
}

/** Which rules' matches, and how many processes of each. */
export interface MatchesQuery {
  readonly rule?: string | undefined
  /** 16 by default. */
  readonly limit?: number | undefined
}

interface JudgingParts {
  readonly book: Rulebook
  readonly alarms: Pick<Alarms, 'raise' | 'resolve'>
  readonly note: (body: JournalBody) => void
}

/** The judge knows numbers alone. */
function withUser(decision: Decision, table: Table): Decision {
  const { group } = decision
  return group?.kind === 'user' ? { ...decision, name: nameOfUser(group.key, table) } : decision
}

/** Nothing is lost by these: the table was overwritten, the engine is being closed. */
const HARMLESS = new Set(['STALE_TABLE', 'CLOSED'])

/** The rules at work: what they decide, and what they say of processes when they are asked. */
export class Judging {
  readonly #parts: JudgingParts
  #rules: RuleEngine | undefined
  /** The last one judged. */
  #table: Table | undefined
  #failedSinceMs: number | undefined

  constructor(parts: JudgingParts) {
    this.#parts = parts
  }

  async open(
    entries: readonly RuleEntry[],
    options: Omit<RuleEngineOptions, 'rules' | 'memTotalBytes'>,
  ): Promise<RuleEngine> {
    this.#rules = await RuleEngine.open({
      ...{ rules: entries.map(({ bound }) => bound), memTotalBytes: totalmem() },
      ...options,
    })
    return this.#rules
  }

  /** The last table, when its matches are known; undefined after a tick that failed. */
  get table(): Table | undefined {
    return this.#table
  }

  /** Between two ticks. */
  async update(entries: readonly RuleEntry[], groups: readonly OptionalGroup[]): Promise<void> {
    await this.#rules!.update(
      entries.map(({ bound }) => bound),
      groups,
    )
  }

  /** From the next tick on, the rule of that name is about this very process. */
  bind(rule: string, identity: ProcessIdentity): void {
    const index = this.#rules?.rules.findIndex(({ name }) => name === rule) ?? -1
    if (index >= 0) this.#rules!.bind(index, identity)
  }

  /** A failure, and the end of it, are told once: a watchdog that does not see has to say so. */
  async tick(table: Table, nowMs: number, host: Float64Array | undefined): Promise<Decision[]> {
    try {
      const decisions = await this.#rules!.tick(table, nowMs, host)
      this.#table = table
      this.#recovered(nowMs)
      return decisions.map((decision) => withUser(decision, table))
    } catch (error) {
      // The next sample but one overwrites it.
      this.#table = undefined
      if (!(error instanceof ProcmusterError && HARMLESS.has(error.code))) this.#failed(error, nowMs)
      throw error
    }
  }

  /** Breaches that have not lasted for their `for` yet. */
  pending(): PendingBreach[] {
    return (this.#rules?.pending() ?? []).flatMap(({ rule: index, sinceMs, identity, group }) => {
      const rule = this.#rules!.rules[index]
      if (rule === undefined) return []
      const row = identity && this.#table?.get(identity.pid)
      const name =
        group === undefined
          ? (row?.name ?? '')
          : group.kind === 'user' && this.#table !== undefined
            ? nameOfUser(group.key, this.#table)
            : `${group.kind} ${group.key}`.trimEnd()
      return [{ rule: rule.name, severity: rule.severity, name, sinceMs, identity, group }]
    })
  }

  /** The next tick matches that process again. */
  rematch(pid: number): void {
    this.#rules?.rematch(pid)
  }

  get factsLearned(): Promise<void> {
    return this.#rules?.factsLearned ?? Promise.resolve()
  }

  /** Slots that a rule matched at the last tick. */
  slotsOf(rule: string): Uint32Array | undefined {
    return this.#rules?.matchesOf(rule)
  }

  /**
   * What a process has in common with others, as `unit:nginx.service`; those of whom it cannot be told are one group (`unit:`).
   * Undefined: not learned yet.
   */
  groupOf(kind: GroupKind, slot: number, { columns: { uid, generation } }: Table): string | undefined {
    if (kind === 'user') return `user:${uid[slot]}`
    if (kind === 'all' || kind === 'subtree') return `${kind}:`
    const key = this.#rules?.groupOf(kind, slot, generation[slot]!)
    return key === undefined ? undefined : `${kind}:${key ?? ''}`
  }

  /** Members of a rule's group in the last sample, as the rule ranks them; undefined: it has no such group any more. */
  async membersOf(
    rule: string,
    group: Pick<GroupRef, 'kind' | 'key'>,
  ): Promise<GroupRef['members'] | undefined> {
    const index = this.#parts.book.indexOf(rule)
    const slot = index < 0 ? undefined : this.#memberSlot(rule, group)
    if (slot === undefined) return undefined
    const found = await this.#rules!.explain(index, slot)
    return found.group?.key === group.key ? found.group.members : undefined
  }

  #memberSlot(rule: string, { kind, key }: Pick<GroupRef, 'kind' | 'key'>): number | undefined {
    const table = this.#table
    if (table === undefined) return undefined
    // The root is a member, and names the group.
    if (kind === 'subtree') return table.slotOf(Number(key.split(':')[0]))
    return this.slotsOf(rule)?.find((slot) => this.groupOf(kind, slot, table) === `${kind}:${key}`)
  }

  matches({ rule, limit = 16 }: MatchesQuery): RuleMatches[] {
    const { book } = this.#parts
    const index = rule === undefined ? undefined : this.#indexOf(rule)
    const table = this.#table
    return (this.#rules?.matches() ?? []).flatMap((slots, at) => {
      if (index !== undefined && index !== at) return []
      const shown = table === undefined ? [] : [...slots.subarray(0, limit)]
      const processes = shown.map((slot) => {
        const { identity, name } = table!.at(slot)
        return { identity, name }
      })
      return [{ rule: book.rules[at]!.name, count: slots.length, processes }]
    })
  }

  async explain(rule: string, pid: number): Promise<Explanation> {
    const index = this.#indexOf(rule)
    if (!this.#parts.book.rules[index]!.enabled) {
      throw new ProcmusterError('INVALID_ARGUMENT', {
        message: `rule ${JSON.stringify(rule)} is not enabled`,
      })
    }
    if (this.#table === undefined) {
      throw new ProcmusterError('INVALID_ARGUMENT', { message: 'nothing has been judged yet' })
    }
    const slot = this.#table.slotOf(pid)
    if (slot === undefined) {
      throw new ProcmusterError('PROCESS_GONE', { message: `the last sample has no process ${pid}`, pid })
    }
    return this.#rules!.explain(index, slot)
  }

  async close(): Promise<void> {
    await this.#rules?.close()
  }

  #indexOf(rule: string): number {
    const { book } = this.#parts
    const index = book.indexOf(rule)
    if (index >= 0) return index
    const nearest = nearestWord(rule, book.names)
    const hint = nearest === undefined ? '' : `; did you mean ${JSON.stringify(nearest)}?`
    throw new ProcmusterError('NOT_FOUND', { message: `there is no rule ${JSON.stringify(rule)}${hint}` })
  }

  #failed(error: unknown, nowMs: number): void {
    if (this.#failedSinceMs !== undefined) return
    this.#failedSinceMs = nowMs
    const reason = error instanceof Error ? error.message : String(error)
    this.#parts.note({ type: 'judging', state: 'failed', reason })
    this.#parts.alarms.raise({
      ...{ rule: JUDGING_RULE, severity: 'critical', kind: 'judging-failed' },
      ...{ identity: undefined, group: ALL_PROCESSES, name: 'this engine', values: [] },
      message: `rules are not judged: ${reason}`,
    })
  }

  #recovered(nowMs: number): void {
    if (this.#failedSinceMs === undefined) return
    const lastedMs = Math.round(nowMs - this.#failedSinceMs)
    this.#failedSinceMs = undefined
    this.#parts.note({ type: 'judging', state: 'recovered', lastedMs })
    this.#parts.alarms.resolve(JUDGING_RULE, 'judging-failed', { group: ALL_PROCESSES })
  }
}
