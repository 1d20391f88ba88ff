import { parseFields } from './proc_fields.js'

/** The fields of `/proc/<pid>/status` that tell what a process may do, proc_pid_status(5), capabilities(7). */
export interface ProcessStatus {
  /** Real, effective, saved, file system. */
  readonly uids: readonly number[]
  readonly gids: readonly number[]
  readonly groups: readonly number[]
  readonly umask: number
  readonly inheritable: bigint
  readonly permitted: bigint
  readonly effective: bigint
  readonly bounding: bigint
  readonly ambient: bigint
  /** Mask of processors, as the kernel writes it: `f`, `ffffffff,ffffffff`. */
  readonly processors: string | undefined
  readonly noNewPrivileges: boolean
  readonly seccompMode: 'disabled' | 'strict' | 'filter' | undefined
  readonly seccompFilters: number
}

const SECCOMP_MODES = ['disabled', 'strict', 'filter'] as const

export function parseStatus(text: string): ProcessStatus {
  const fields = parseFields(text)
  const numbers = (key: string) => (fields.get(key) ?? '').split(/\s+/).filter(Boolean).map(Number)
  const mask = (key: string) => BigInt(`0x${fields.get(key) ?? '0'}`)
  return {
    uids: numbers('Uid'),
    gids: numbers('Gid'),
    groups: numbers('Groups'),
    umask: Number.parseInt(fields.get('Umask') ?? '022', 8),
    inheritable: mask('CapInh'),
    permitted: mask('CapPrm'),
    effective: mask('CapEff'),
    bounding: mask('CapBnd'),
    ambient: mask('CapAmb'),
    processors: fields.get('Cpus_allowed'),
    noNewPrivileges: fields.get('NoNewPrivs') === '1',
    seccompMode: SECCOMP_MODES[Number(fields.get('Seccomp') ?? Number.NaN)],
    // Before Linux 5.9 only the mode is shown; 2 means at least one filter.
    seccompFilters: Number(fields.get('Seccomp_filters') ?? (fields.get('Seccomp') === '2' ? 1 : 0)),
  }
}
