import {
  findSegmentMappers,
  type IpcListing,
  type IpcUser,
  listIpc,
  listPosixIpc,
  type MessageQueue,
  type PosixIpcListing,
  type PosixIpcObject,
  type SegmentMappers,
  type SemaphoreSet,
  type SharedMemorySegment,
} from '../../public/ipc.js'
import { Sampler } from '../../public/sampler.js'
import { printJson } from '../inspect/json.js'
import { printTable, type TextColumn } from '../print_table.js'
import { shortBytes } from '../quantities.js'
import { escapeForTerminal } from '../terminal.js'
import { userNames } from '../users.js'

type SystemVObject = MessageQueue | SharedMemorySegment | SemaphoreSet

/** `muster ipc` with what the user gave. */
export async function listAll(raw: { json?: boolean }): Promise<void> {
  const [listing, posix] = await Promise.all([listIpc(), listPosixIpc()])
  const mappers = await mappersOf(listing)
  warn([...listing.missing, ...posix.missing], mappers)
  if (raw.json === true) {
    const sharedMemory = listing.sharedMemory?.map((each) => ({
      ...each,
      mappedBy: each.attached === 0 ? [] : (mappers?.byId.get(each.id) ?? []),
    }))
    return printJson({ systemV: { ...listing, sharedMemory }, posix })
  }
  const { messageQueues = [], sharedMemory = [], semaphores = [] } = listing
  const objects: SystemVObject[] = [...messageQueues, ...sharedMemory, ...semaphores]
  const files = filesOf(posix)
  const names = await userNames([
    ...objects.flatMap(({ ownerUid, creatorUid }) => [ownerUid, creatorUid]),
    ...files.map(({ object }) => object.ownerUid),
  ])
  const nameOf = (uid: number): string => escapeForTerminal(names.get(uid) ?? String(uid))
  await printTable(objects, systemVColumns(nameOf, mappers))
  process.stdout.write('\n')
  await printTable(files, posixColumns(nameOf))
}

/** Reads the mappings of every process, so only where there is somebody to be found. */
async function mappersOf({ sharedMemory = [] }: IpcListing): Promise<SegmentMappers | undefined> {
  if (sharedMemory.every(({ attached }) => attached === 0)) return undefined
  await using sampler = await Sampler.open({ source: 'procfs' })
  const table = await sampler.sample()
  return findSegmentMappers([...table].map(({ identity }) => identity))
}

function warn(missing: readonly { readonly reason: string }[], mappers: SegmentMappers | undefined): void {
  if (missing.length > 0) {
    const reasons = escapeForTerminal(missing.map(({ reason }) => reason).join('; '))
    process.stderr.write(`muster: not listed: ${reasons}\n`)
  }
  const unread = mappers?.unread.length ?? 0
  if (unread === 0) return
  const hint = process.getuid?.() === 0 ? '' : '; root may look into more'
  process.stderr.write(`muster: mappings of ${unread} processes could not be read${hint}\n`)
}

interface PosixFile {
  readonly kind: string
  readonly object: PosixIpcObject
}

function filesOf({ messageQueues = [], sharedMemory = [], semaphores = [] }: PosixIpcListing): PosixFile[] {
  return [
    ...messageQueues.map((object) => ({ kind: 'queue', object })),
    ...sharedMemory.map((object) => ({ kind: 'memory', object })),
    ...semaphores.map((object) => ({ kind: 'semaphore', object })),
  ]
}

const KINDS = { messageQueue: 'queue', sharedMemory: 'memory', semaphores: 'semaphores' } as const

const modeText = (permissions: number): string => permissions.toString(8).padStart(4, '0')

function systemVColumns(
  nameOf: (uid: number) => string,
  mappers: SegmentMappers | undefined,
): TextColumn<SystemVObject>[] {
  return [
    { heading: 'SYSTEM-V', align: 'left', text: ({ kind }) => KINDS[kind] },
    { heading: 'ID', align: 'right', text: ({ id }) => String(id) },
    { heading: 'KEY', align: 'left', text: ({ key }) => `0x${(key >>> 0).toString(16).padStart(8, '0')}` },
    { heading: 'MODE', align: 'left', text: ({ permissions }) => modeText(permissions) },
    { heading: 'OWNER', align: 'left', text: ({ ownerUid }) => nameOf(ownerUid) },
    { heading: 'CREATOR', align: 'left', text: ({ creatorUid }) => nameOf(creatorUid) },
    { heading: 'SIZE', align: 'right', text: sizeText },
    { heading: 'USE', align: 'left', text: useText },
    { heading: 'USERS', align: 'left', text: (object) => usersText(object, mappers) },
  ]
}

function sizeText(object: SystemVObject): string {
  if (object.kind === 'semaphores') return '-'
  return shortBytes(object.kind === 'sharedMemory' ? object.sizeBytes : object.bytes)
}

function useText(object: SystemVObject): string {
  switch (object.kind) {
    case 'messageQueue':
      return `${object.messages} messages`
    case 'semaphores':
      return `${object.semaphores} semaphores`
    case 'sharedMemory':
      return [
        `${object.attached} attached`,
        ...(object.isLocked ? ['locked'] : []),
        ...(object.isRemoved ? ['goes with the last'] : []),
      ].join(', ')
  }
}

function usersText(object: SystemVObject, mappers: SegmentMappers | undefined): string {
  const user = (role: string, who: IpcUser | undefined): string[] =>
    who === undefined ? [] : [`${role} ${who.pid}${who.identity === undefined ? ' (ended)' : ''}`]
  const all =
    object.kind === 'messageQueue'
      ? [...user('last sent by', object.lastSender), ...user('last received by', object.lastReceiver)]
      : object.kind === 'sharedMemory'
        ? [
            ...user('made by', object.creator),
            ...user('last used by', object.lastUser),
            ...mappedText((mappers?.byId.get(object.id) ?? []).map(({ pid }) => pid)),
          ]
        : []
  return all.join(', ') || '-'
}

const mappedText = (pids: readonly number[]): string[] =>
  pids.length === 0 ? [] : [`mapped by ${pids.join(' ')}`]

function posixColumns(nameOf: (uid: number) => string): TextColumn<PosixFile>[] {
  return [
    { heading: 'POSIX', align: 'left', text: ({ kind }) => kind },
    { heading: 'MODE', align: 'left', text: ({ object }) => modeText(object.permissions) },
    { heading: 'OWNER', align: 'left', text: ({ object }) => nameOf(object.ownerUid) },
    {
      heading: 'SIZE',
      align: 'right',
      text: ({ object: { sizeBytes } }) => (Number.isNaN(sizeBytes) ? '-' : shortBytes(sizeBytes)),
    },
    {
      heading: 'MEMORY',
      align: 'right',
      text: ({ object: { allocatedBytes } }) =>
        allocatedBytes === undefined ? '-' : shortBytes(allocatedBytes),
    },
    { heading: 'NAME', align: 'left', text: ({ object }) => escapeForTerminal(object.name) },
  ]
}
