import type { GroupKind } from '../rules/language/ast.js'
import type { Sampler } from '../sampler/sampler.js'
import type { ProcessRow } from '../table/process.js'

/** Reads what the group's key is made of, once per life of a process; undefined when the process is gone. */
export async function readGroupKey(
  kind: GroupKind,
  sampler: Pick<Sampler, 'readDetails'>,
  rowOf: () => ProcessRow | undefined,
): Promise<string | undefined> {
  const row = rowOf()
  if (row === undefined) return undefined
  if (kind !== 'user') await sampler.readDetails([row])
  return groupKey(kind, rowOf() ?? { uid: undefined, cgroup: undefined })
}

/** What a process has in common with others, as one text; those of whom it is not known are one group. */
export function groupKey(kind: GroupKind, row: Pick<ProcessRow, 'uid' | 'cgroup'>): string {
  switch (kind) {
    case 'user':
      return `user:${row.uid ?? ''}`
    case 'cgroup':
      return `cgroup:${cgroupPath(row.cgroup)}`
    case 'unit':
      return `unit:${cgroupPath(row.cgroup).split('/').findLast(isUnit) ?? ''}`
    case 'container':
      return `container:${/[0-9a-f]{64}/.exec(cgroupPath(row.cgroup))?.[0] ?? ''}`
    default:
      return `${kind}:`
  }
}

/** The path in the unified hierarchy, else in that of the service manager. proc_pid_cgroup(5) */
function cgroupPath(text = ''): string {
  const lines = text.split('\n')
  const line =
    lines.find((each) => each.startsWith('0::')) ?? lines.find((each) => each.includes(':name=systemd:'))
  return line?.split(':').slice(2).join(':') ?? ''
}

const isUnit = (name: string): boolean => /\.(service|scope|socket|mount|swap)$/.test(name)
