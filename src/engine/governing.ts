import { Governor } from '../actions/governor.js'
import { effectiveLimits, type GovernorSettings } from '../actions/governor_options.js'
import type { RunnerOptions } from '../actions/runner.js'
import type { Alarms } from '../alerts/alarms.js'
import type { OutcomeBody } from '../journal/action_records.js'
import { GovernorReplay } from '../journal/governor_replay.js'
import type { Place } from '../journal/place.js'
import type { JournalBody, JournalRecord } from '../journal/records.js'
import type { GroupKind } from '../rules/language/ast.js'
import type { ProcessIdentity } from '../table/identity.js'
import { now, wallTimeOf } from './clock.js'
import type { Judging } from './judging.js'
import { RuleMembers } from './rule_members.js'
import type { Rulebook } from './rulebook.js'
import type { Sources } from './sources.js'
import { SuspensionAlerts } from './suspension_alerts.js'

interface GoverningParts {
  readonly settings: GovernorSettings
  readonly book: Rulebook
  readonly alarms: Alarms
  readonly judging: Judging
  readonly sources: Pick<Sources, 'table'>
  readonly note: (body: JournalBody) => void
}

/** What restarts are bounded by: a governor, what it asks of rules and processes, and who learns of what it suspends. */
export class Governing {
  readonly governor: Governor
  readonly #parts: GoverningParts
  readonly #members: RuleMembers
  readonly #suspensions: SuspensionAlerts
  readonly #replay: GovernorReplay
  /** What the journal held before this run has been read. */
  #isReplayed = false

  constructor(parts: GoverningParts) {
    const { settings, alarms, judging, note } = parts
    this.#parts = parts
    this.#members = new RuleMembers({ judging })
    this.#suspensions = new SuspensionAlerts({ alarms, note, wallTimeOf })
    this.governor = new Governor(settings, {
      members: (rule, group) => {
        const { table } = judging
        return table && this.#members.of(rule, group, table)
      },
      onChange: (change) => {
        if (this.#isReplayed) this.#suspensions.changed(change)
      },
    })
    this.#replay = new GovernorReplay(this.governor)
  }

  /** A record of the journal; those of this run tell nothing new. */
  replay(record: JournalRecord): void {
    if (!this.#isReplayed) this.#replay.add(record)
  }

  /** All that earlier runs have written down has been replayed; this one is here. */
  replayed(place: Place): void {
    this.#replay.finish(place, now(), Date.now())
    this.#isReplayed = true
  }

  /** What earlier runs have suspended goes on, or is told of. */
  takeUpSuspensions(): void {
    this.governor.tick(now())
    for (const suspension of this.governor.suspensions) {
      // A rule that is there no more has nothing to restart.
      if (suspension.scope === 'host' || this.#parts.book.get(suspension.rule) !== undefined)
        this.#suspensions.tell(suspension)
    }
  }

  /** Another sample has been judged, or by other rules. */
  renewMembers(): void {
    this.#members.renew()
  }

  limitsOf(name: string): ReturnType<RunnerOptions['limitsOf']> {
    const { book, settings } = this.#parts
    // A restart that an earlier run had begun can be of a rule that there is no more.
    const { limits: own = {}, severity = 'warning' } = book.get(name)?.checked ?? {}
    return { limits: effectiveLimits(own, settings.limits), severity }
  }

  /** Undefined when the process is gone. */
  async groupOf({ pid, startTicks }: ProcessIdentity, by: GroupKind): Promise<string | undefined> {
    const { judging, sources } = this.#parts
    const known = (): string | undefined => {
      const { table } = sources
      const slot = table?.slotOf(pid)
      if (table === undefined || slot === undefined || table.columns.startTicks[slot] !== startTicks)
        return undefined
      return judging.groupOf(by, slot, table) ?? `${by}:`
    }
    const group = known()
    if (group !== `${by}:`) return group
    await judging.factsLearned
    return known()
  }

  /** What a restart has brought. */
  followed({ rule, successor, relieved = 'unknown' }: OutcomeBody): void {
    if (successor === undefined) return
    const { rearmMs } = this.limitsOf(rule).limits
    this.governor.judged(rule, successor, relieved, rearmMs, now())
  }
}
