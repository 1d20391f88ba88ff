import type { Alert } from '../../dist/alerts/alert.js'
import type { GroupRef } from '../../dist/rules/subject.js'

export const identity = (pid: number, startTicks = 1) => ({ pid, startTicks, settled: true })

export const group = (kind: GroupRef['kind'], key: string, members: GroupRef['members'] = []): GroupRef => ({
  kind,
  key,
  count: members.length,
  members,
})

/** A breach of rule `r` by process 1. */
export const alert = (id: string, changes: Partial<Alert> = {}): Alert => ({
  id,
  rule: 'r',
  severity: 'warning',
  kind: 'breach',
  state: 'firing',
  identity: identity(1),
  name: 'n',
  values: [],
  message: '',
  atMs: 1,
  repeats: 0,
  lastAtMs: 1,
  ...changes,
})
