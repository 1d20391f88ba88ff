import type { GovernorChange, SuspensionScope } from '../actions/governor_types.js'
import type { Who } from '../actions/lineages.js'
import type { Alarms } from '../alerts/alarms.js'
import type { AlertKind } from '../alerts/alert.js'
import type { JournalBody } from '../journal/records.js'
import { ALL_PROCESSES } from '../rules/subject.js'
import { quotedName } from './messages.js'

const KIND = { rule: 'suspended', process: 'gave-up', host: 'host-stop' } as const satisfies Record<
  SuspensionScope,
  AlertKind
>

interface SuspensionParts {
  readonly alarms: Alarms
  readonly note: (body: JournalBody) => void
  /** Of a time of the governor's clock. */
  readonly wallTimeOf: (ms: number) => number
}

/** Writes down what the governor suspends and resumes, and sees to it that somebody learns of it. */
export class SuspensionAlerts {
  readonly #parts: SuspensionParts

  constructor(parts: SuspensionParts) {
    this.#parts = parts
  }

  changed(change: GovernorChange): void {
    const { kind, scope, rule, who } = change
    const head = { scope, rule, identity: who?.identity, name: who?.name }
    if (kind === 'suspended') {
      const untilMs = this.#parts.wallTimeOf(change.untilMs)
      this.#parts.note({ type: 'suspended', ...head, reason: change.reason, untilMs })
    } else {
      this.#parts.note({ type: 'resumed', ...head, by: change.by })
    }
    this.tell(change)
  }

  /** Only to those who hear alerts, as for what an earlier run has written down. */
  tell(change: GovernorChange): void {
    const { scope, rule, who } = change
    const { alarms, wallTimeOf } = this.#parts
    const isOfOne = scope === 'process' && who !== undefined
    const about = isOfOne ? { identity: who.identity } : { group: ALL_PROCESSES }
    if (change.kind === 'resumed') {
      alarms.resolve(rule, KIND[scope], about)
      return
    }
    const message = `${subject(scope, rule, who)}: ${change.reason}; tried again from ${new Date(wallTimeOf(change.untilMs)).toISOString()}`
    const name = isOfOne ? who.name : scope === 'host' ? 'this host' : `rule ${rule}`
    alarms.raise({ rule, severity: 'critical', kind: KIND[scope], ...about, name, values: [], message })
  }
}

function subject(scope: SuspensionScope, rule: string, who: Who | undefined): string {
  switch (scope) {
    case 'host':
      return 'all restarts on this host wait'
    case 'rule':
      return `restarts of rule ${quotedName(rule)} are suspended`
    case 'process':
      return `${quotedName(who?.name ?? '')} (pid ${who?.identity.pid}) is not restarted any more by rule ${quotedName(rule)}`
  }
}
