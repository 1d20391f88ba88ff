import { type Subject, subjectKey } from '../rules/subject.js'
import type { Alert } from './alert.js'

/** What an alert is about: of a process and a group exactly one is there. */
export type AlertSubject = Partial<Subject>

export const subjectOf = ({ identity, group }: AlertSubject): string => subjectKey({ identity, group })

/** One alert fires at a time for each rule, kind and subject. Neither a rule's name nor a kind has line ends. */
export function alertKey(alert: Pick<Alert, 'rule' | 'kind' | 'identity' | 'group'>): string {
  return `${alert.kind}\n${alert.rule}\n${subjectOf(alert)}`
}
