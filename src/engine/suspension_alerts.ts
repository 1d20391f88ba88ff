import type { GovernorChange, SuspensionScope } from '../actions/governor_types.js'
import type { Who } from '../actions/lineages.js'
import type { AlertKind, JournalBody } from '../journal/records.js'
import type { Alarms } from './alarms.js'

const KIND = { rule: 'suspended', process: 'gave-up', host: 'host-stop' } as const satisfies Record<
  SuspensionScope,
  AlertKind
>

/** Where nothing is known of the process that it came to this with. */
const NOBODY: Who = { identity: { pid: 0, startTicks: 0, settled: false }, name: '' }

export interface SuspensionParts {
  readonly alarms: Alarms
  readonly note: (body: JournalBody) => void
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
      this.#parts.note({ type: 'suspended', ...head, reason: change.reason, untilMs: change.untilMs })
    } else {
      this.#parts.note({ type: 'resumed', ...head, by: change.by })
    }
    this.tell(change)
  }

  /** Only to those who hear alerts, as for what an earlier run has written down. */
  tell(change: GovernorChange): void {
    const { scope, rule, who = NOBODY } = change
    const { alarms } = this.#parts
    if (change.kind === 'resumed') {
      alarms.resolve(rule, KIND[scope], who.identity)
      return
    }
    const message = `${subject(scope, rule, who)}: ${change.reason}; tried again from ${new Date(change.untilMs).toISOString()}`
    alarms.raise({ rule, severity: 'critical', kind: KIND[scope], ...who, values: [], message })
  }
}

function subject(scope: SuspensionScope, rule: string, { identity, name }: Who): string {
  switch (scope) {
    case 'host':
      return 'all restarts on this host wait'
    case 'rule':
      return `restarts of rule ${JSON.stringify(rule)} are suspended`
    case 'process':
      return `${JSON.stringify(name)} (pid ${identity.pid}) is not restarted any more by rule ${JSON.stringify(rule)}`
  }
}
