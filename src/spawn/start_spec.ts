import type { ResourceLimits } from '../control/rlimit.js'

/** Bytes as the kernel has them: a string when they are UTF-8, else base64, so that a spec survives JSON. */
export type Bytes = string | { readonly base64: string }

export interface FileIdentity {
  readonly device: number
  readonly inode: number
}

/** 64 bit masks in hexadecimal, as in proc_pid_status(5). */
interface CapabilitySpec {
  readonly bounding: string
  readonly inheritable: string
  readonly ambient: string
}

/** Everything that the addon has to know to start a program. */
export interface StartSpec {
  readonly path: Bytes
  /** Another path of the executable, under which a new process gets the name that the old one had. */
  readonly namedPath?: Bytes | undefined
  readonly executable: FileIdentity
  readonly arguments: readonly Bytes[]
  readonly environment: readonly Bytes[]
  readonly directory: Bytes
  readonly directoryIdentity: FileIdentity
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
  readonly umask: number
  readonly nice: number
  /** ioprio_get(2): class << 13 | level; -1 when it is not known, and to leave it. */
  readonly ioPriority: number
  /** Processors that it may run on, as `Cpus_allowed` of proc_pid_status(5); missing when it is not known. */
  readonly processors?: string | undefined
  /** Missing: those of this process. */
  readonly limits?: ResourceLimits | undefined
  readonly capabilities: CapabilitySpec
  readonly noNewPrivileges: boolean
}

export function toBytes(buffer: Buffer): Bytes {
  const text = buffer.toString('utf8')
  return Buffer.from(text, 'utf8').equals(buffer) ? text : { base64: buffer.toString('base64') }
}

export function fromBytes(bytes: Bytes): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : Buffer.from(bytes.base64, 'base64')
}

/** Strings that each end with a zero byte, as in `/proc/<pid>/cmdline`; the last zero byte must be there. */
export function splitZeros(data: Buffer): Bytes[] {
  const strings: Bytes[] = []
  for (let at = 0; at < data.length; ) {
    const end = data.indexOf(0, at)
    const stop = end < 0 ? data.length : end
    strings.push(toBytes(data.subarray(at, stop)))
    at = stop + 1
  }
  return strings
}

export function joinZeros(strings: readonly Bytes[]): Buffer {
  return Buffer.concat(strings.flatMap((bytes) => [fromBytes(bytes), Buffer.from([0])]))
}
