import { constants as fs } from 'node:fs'
import { readlink } from 'node:fs/promises'
import { constants } from 'node:os'
import { checkHas } from '../arguments.js'
import { type NativePidHandle, type NativeStdio, native } from '../native.js'
import { fromBytes, toBytes } from '../spawn/start_spec.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { RestartSpec, StdioSpec } from './restart_spec.js'

const { S_IFMT, S_IFREG, S_IFCHR, S_IFIFO, S_IFSOCK } = fs
const FIELDS_PER_DESCRIPTOR = 8

// The open descriptors of a spec; they do not survive JSON.
const taken = new WeakMap<RestartSpec, NativeStdio>()

/** The descriptors go with this very object from now on, until `releaseRestart`. */
export function keepStdio(spec: RestartSpec, stdio: NativeStdio): void {
  taken.set(spec, stdio)
}

/** Closes the descriptors that were taken over, when the process is not to be started again after all. */
export function releaseRestart(spec: RestartSpec): void {
  checkHas('the specification', spec, ['stdio', 'path', 'executable'], 'one of captureRestart')
  const stdio = taken.get(spec)
  if (stdio !== undefined) native.spawn.closeStdio(stdio)
  taken.delete(spec)
}

/** Duplicates descriptors 0 to 2 of a process, and notes how to open them again. */
export async function takeStdio(
  identity: ProcessIdentity,
  handle: NativePidHandle,
): Promise<{ open: NativeStdio; specs: StdioSpec[] }> {
  const open = native.spawn.newStdio()
  const out = new Float64Array(3 * FIELDS_PER_DESCRIPTOR)
  await native.spawn.takeStdio(open, handle, identity.pid, out)
  const specs = await Promise.all(
    ([0, 1, 2] as const).map(async (number): Promise<StdioSpec> => {
      const at = number * FIELDS_PER_DESCRIPTOR
      const [errno, , mode, device, inode, flags, position, owner] = out.subarray(at) as unknown as number[]
      if (errno === constants.errno.EBADF) return { number, kind: 'closed' }
      if (errno !== 0) return { number, kind: 'lost' }
      const kind = kindOf(mode!)
      if (kind !== 'file' && kind !== 'device') return { number, kind }
      const path = await readlink(`/proc/${identity.pid}/fd/${number}`, { encoding: 'buffer' }).catch(
        () => undefined,
      )
      if (path === undefined) return { number, kind }
      const file = { device: device!, inode: inode! }
      return { number, kind, path: toBytes(path), file, owner: owner!, flags: flags!, position: position! }
    }),
  )
  return { open, specs }
}

function kindOf(mode: number): StdioSpec['kind'] {
  const kinds: Record<number, StdioSpec['kind']> = {
    [S_IFREG]: 'file',
    [S_IFCHR]: 'device',
    [S_IFIFO]: 'pipe',
    [S_IFSOCK]: 'socket',
  }
  return kinds[mode & S_IFMT] ?? 'other'
}

/**
 * Those that were taken over; after a crash of ours they are gone, and files and devices are opened again by path
 * (`reopened`: the caller's to close). `lost` says in words which could not be had.
 */
export async function standardDescriptors(
  spec: RestartSpec,
): Promise<{ stdio: NativeStdio; reopened: boolean; lost: string[] }> {
  const kept = taken.get(spec)
  const stdio = kept ?? native.spawn.newStdio()
  const lost: string[] = []
  for (const each of spec.stdio) {
    const there = kept === undefined ? await reopen(stdio, each) : each.kind !== 'lost'
    if (there || each.kind === 'closed') continue
    lost.push(`descriptor ${each.number} (${each.kind}) is /dev/null now: it could not be taken over`)
  }
  return { stdio, reopened: kept === undefined, lost }
}

async function reopen(stdio: NativeStdio, spec: StdioSpec): Promise<boolean> {
  const { number, path, file, owner, flags, position = -1 } = spec
  if (path === undefined || file === undefined || owner === undefined || flags === undefined) return false
  const out = new Float64Array(FIELDS_PER_DESCRIPTOR)
  const bytes = fromBytes(path)
  const { device, inode } = file
  await native.spawn.reopenStdio(stdio, number, bytes, flags, device, inode, owner, position, out)
  return out[0] === 0
}
