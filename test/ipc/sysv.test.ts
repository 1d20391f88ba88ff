import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import {
  findSegmentMappers,
  type IpcIdentity,
  identify,
  listIpc,
  listPosixIpc,
  removeIpc,
} from '../../dist/index.js'
import { mappedSegments } from '../../dist/ipc/mappers.js'
import { parseSysvTable } from '../../dist/ipc/sysv.js'

const made: [option: string, id: number][] = []
const roots: string[] = []
afterEach(async () => {
  const listed = ids()
  for (const [option, id] of made.splice(0)) {
    if (listed.has(`${option}${id}`)) execFileSync('ipcrm', [option, String(id)])
  }
  await Promise.all(roots.splice(0).map((root) => rm(root, { recursive: true })))
})

/** Makes an object by ipcmk(1), which ends at once. */
function make(option: '-q' | '-m' | '-s', ...args: string[]): number {
  const id = Number(/: (\d+)$/m.exec(execFileSync('ipcmk', args, { encoding: 'utf8' }))![1])
  made.push([option, id])
  return id
}

/** Ids as ipcs(1) shows them, behind the option that ipcrm(1) takes. */
function ids(): Set<string> {
  const of = (option: string): string[] =>
    [...execFileSync('ipcs', [option], { encoding: 'utf8' }).matchAll(/^0x\S+ +(\d+) /gm)].map(
      ([, id]) => `${option}${id}`,
    )
  return new Set([...of('-q'), ...of('-m'), ...of('-s')])
}

async function rootOf(files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'ipc-'))
  roots.push(root)
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(root, name, '..'), { recursive: true })
    await writeFile(join(root, name), text)
  }
  return root
}

test('lists what ipcs lists, and removes on request', async () => {
  const queue = make('-q', '-Q', '-p', '0640')
  const segment = make('-m', '-M', '8192', '-p', '0600')
  const set = make('-s', '-S', '5')
  const listing = await listIpc()
  const { messageQueues, sharedMemory, semaphores } = listing
  expect(listing.missing).toEqual([])
  const listed = [
    ...messageQueues!.map(({ id }) => `-q${id}`),
    ...sharedMemory!.map(({ id }) => `-m${id}`),
    ...semaphores!.map(({ id }) => `-s${id}`),
  ]
  expect(new Set(listed)).toEqual(ids())
  const mine: IpcIdentity[] = [
    messageQueues!.find(({ id }) => id === queue)!,
    sharedMemory!.find(({ id }) => id === segment)!,
    semaphores!.find(({ id }) => id === set)!,
  ]
  expect(mine).toMatchObject([
    { permissions: 0o640, messages: 0, bytes: 0, lastSender: undefined, sentAt: undefined },
    { permissions: 0o600, sizeBytes: 8192, attached: 0, attachedAt: undefined, isRemoved: false },
    { semaphores: 5, usedAt: undefined },
  ])
  const other = mine.map((each) => ({ ...each, changedAt: each.changedAt - 1 }))
  for (const result of await removeIpc(other, { force: true })) {
    expect(result).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
  }
  expect((await removeIpc(mine)).map(({ ok }) => ok)).toEqual([true, true, true])
  expect([...ids()].filter((id) => [`-q${queue}`, `-m${segment}`, `-s${set}`].includes(id))).toEqual([])
  for (const result of await removeIpc(mine)) {
    expect(result).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
  }
})

test('who has sent and received last, what waits, and when semaphores were used', async () => {
  const queue = make('-q', '-Q')
  const set = make('-s', '-S', '1')
  const startedAt = Math.floor(Date.now() / 1000) - 1
  const program = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
class Message(ctypes.Structure): _fields_ = [('type', ctypes.c_long), ('text', ctypes.c_char * 5)]
class Operation(ctypes.Structure): _fields_ = [('number', ctypes.c_ushort), ('add', ctypes.c_short), ('flags', ctypes.c_short)]
message = Message(1, b'hello')
def must(result):
    if result < 0: raise OSError(ctypes.get_errno(), 'it failed')
for _ in range(3): must(libc.msgsnd(${queue}, ctypes.byref(message), 5, 0))
if os.fork() == 0:
    must(libc.msgrcv(${queue}, ctypes.byref(message), 5, 0, 0))
    os._exit(0)
child, status = os.wait()
must(libc.semop(${set}, ctypes.byref(Operation(0, 1, 0)), 1))
print(child if status == 0 else 'failed', flush=True)
sys.stdin.read()`
  const child = spawn('python3', ['-c', program], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [receiver] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const { messageQueues, semaphores } = await listIpc()
  const { startTicks } = await identify(child.pid!)
  const own = messageQueues!.find(({ id }) => id === queue)!
  expect(own).toMatchObject({
    ...{ messages: 2, bytes: 10, ownerUid: process.getuid!() },
    lastSender: { pid: child.pid, identity: { startTicks } },
    // It has ended since.
    lastReceiver: { pid: Number(receiver), identity: undefined },
  })
  expect(own.sentAt).toBeGreaterThanOrEqual(startedAt)
  expect(own.receivedAt).toBeGreaterThanOrEqual(own.sentAt!)
  expect(semaphores!.find(({ id }) => id === set)!.usedAt).toBeGreaterThanOrEqual(startedAt)
  child.stdin.end()
  await once(child, 'exit')
})

test('a segment that is attached stays, names who has it, and goes only by force', async () => {
  const id = make('-m', '-M', '4096')
  // Attached by a process of its own, which says so and waits.
  const program = `
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
print(libc.shmat(${id}, None, 0) != ctypes.c_void_p(-1).value, flush=True)
sys.stdin.read()`
  const child = spawn('python3', ['-c', program], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [said] = await once(createInterface({ input: child.stdout }), 'line')
  expect(said).toBe('True')
  const segment = (await listIpc()).sharedMemory!.find((each) => each.id === id)!
  expect(segment).toMatchObject({ attached: 1, lastUser: { pid: child.pid } })
  const user = await identify(child.pid!)
  expect(segment.lastUser!.identity).toMatchObject({ startTicks: user.startTicks })
  const mappers = await findSegmentMappers([user, await identify(process.pid)])
  expect(mappers.byId.get(id)).toEqual([{ pid: user.pid, startTicks: user.startTicks }])
  expect(await removeIpc([segment])).toMatchObject([{ ok: false, error: { code: 'BUSY' } }])
  expect(await removeIpc([segment], { force: true })).toEqual([{ kind: 'sharedMemory', id, ok: true }])
  expect((await listIpc()).sharedMemory!.find((each) => each.id === id)).toMatchObject({ isRemoved: true })
  child.stdin.end()
  await once(child, 'exit')
  expect((await listIpc()).sharedMemory!.find((each) => each.id === id)).toBeUndefined()
})

test('what is no object is refused', async () => {
  const target = { kind: 'sharedMemory', id: -1, key: 0, changedAt: 0 } as const
  await expect(removeIpc([target])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(await removeIpc([])).toEqual([])
})

test('files that are not there are told', async () => {
  const listing = await listIpc({ procRoot: await rootOf({}) })
  expect(listing).toMatchObject({ messageQueues: undefined, sharedMemory: undefined, semaphores: undefined })
  expect(listing.missing.map(({ code }) => code)).toEqual(['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND'])
})

test('POSIX objects are told apart, and nothing else is taken for one', async () => {
  const sharedMemoryRoot = await rootOf({ 'sem.lock': 'x'.repeat(32), data: 'abc', 'folder/file': '' })
  await symlink('/etc/passwd', join(sharedMemoryRoot, 'link'))
  const queueRoot = await rootOf({ jobs: 'QSIZE:129     NOTIFY:2    SIGNO:0    NOTIFY_PID:8260\n' })
  const listing = await listPosixIpc({ sharedMemoryRoot, queueRoot })
  expect(listing).toMatchObject({
    sharedMemory: [{ name: '/data', sizeBytes: 3 }],
    semaphores: [{ name: '/lock', sizeBytes: 32 }],
    messageQueues: [{ name: '/jobs', sizeBytes: 129 }],
    missing: [],
  })
  const without = await listPosixIpc({ sharedMemoryRoot, queueRoot: join(queueRoot, 'none') })
  expect(without.messageQueues).toBeUndefined()
  expect(without.missing).toMatchObject([{ code: 'NOT_FOUND' }])
})

test('tables are read by the names of their fields, and garbled lines are left out', () => {
  const rows = parseSysvTable('       key      semid perms\n -17  3 600\n 1 2\n x 2 3\n')
  expect(rows.map((row) => [row('key'), row('semid'), row('nsems')])).toEqual([[-17, 3, undefined]])
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      for (const row of parseSysvTable(text)) expect(row('key')).not.toBeNaN()
      mappedSegments(text)
    }),
  )
})

test.each([
  [
    '7f1c40000000-7f1c40001000 rw-s 00000000 00:01 32768                      /SYSV00000000 (deleted)',
    [32768],
  ],
  ['7f1c40000000-7f1c40001000 rw-s 00000000 00:01 0                          /SYSV1234abcd', [0]],
  ['7f1c40000000-7f1c40001000 rw-s 00000000 08:01 32768                      /SYSV00000000', []],
  ['7f1c40000000-7f1c40001000 rw-s 00000000 00:01 32768                      /tmp/SYSV00000000', []],
])('mapping %s', (line, expected) => {
  expect([...mappedSegments(`${line}\n`)]).toEqual(expected)
})
