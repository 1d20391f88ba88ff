import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { afterEach, expect, test } from 'vitest'
import { hostileNames, startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { startWaits } from '../fixtures/waits.js'
import { endRuns, muster, Run } from './muster.js'

const UNSAFE = /[\p{Cc}\p{Cf}]/u

const groups: ChildProcess[] = []
const made: [option: string, id: number][] = []
afterEach(async () => {
  for (const child of groups.splice(0)) process.kill(-child.pid!, 'SIGKILL')
  for (const [option, id] of made.splice(0)) {
    // It may be gone already, or go with its last user, whom we have just ended.
    if (ipcsIds(option).has(id)) spawnSync('ipcrm', [option, String(id)])
  }
  await endRuns()
  await stopAll()
})

const json = async (...args: string[]) => {
  const { code, stdout } = await muster([...args, '--json'])
  expect(stdout.replaceAll('\n', '')).not.toMatch(UNSAFE)
  return { code, value: JSON.parse(stdout) }
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)

/** A shell with a child that has two children of its own; ends with `afterEach`. */
async function startTree(): Promise<{ root: number; pids: number[] }> {
  const script = '(sleep 1000 & sleep 1000 & wait) & exec sleep 1000'
  const shell = spawn('bash', ['-c', script], { stdio: 'ignore', detached: true })
  groups.push(shell)
  const root = shell.pid!
  const pids = await waitFor(() => {
    const children = childrenOf(root)
    const all = [root, ...children, ...children.flatMap(childrenOf)]
    const names = all.map((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim())
    return names.join() === 'sleep,bash,sleep,sleep' && all
  })
  return { root, pids }
}

test('a tree is drawn as pstree draws it, in the characters of the locale', async () => {
  const { root, pids } = await startTree()
  const pid = String(root)
  const pstree = (...args: string[]): string =>
    execFileSync('pstree', ['-l', '-T', ...args, pid], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    })
  const env = (locale: string, term = 'xterm') => ({ env: { LC_ALL: locale, TERM: term } })
  const [boxes, plain, dumb, listed, table] = await Promise.all([
    muster(['tree', pid], env('C.UTF-8')),
    muster(['tree', pid, '--no-fold', '--pids'], env('C')),
    muster(['tree', pid], env('C.UTF-8', 'dumb')),
    muster(['tree', pid, '--command'], env('en_US.utf8')),
    muster(['tree', pid, '--resources'], env('C')),
  ])
  expect(boxes).toMatchObject({ code: 0, stdout: pstree('-U') })
  expect(plain.stdout).toBe(pstree('-A', '-c', '-p'))
  expect(dumb.stdout).toBe(pstree('-A'))
  expect(listed.stdout).toBe(pstree('-U', '-a'))
  const [heading, ...lines] = table.stdout.trimEnd().split('\n')
  expect(heading).toMatch(/^ *PID PROCESSES THREADS +%CPU +RSS TREE$/)
  const cells = lines.map((line) => /^ *(\d+) +(\d+) +(\d+) +\d+\.\d +\S+ (.*)$/.exec(line)!.slice(1))
  expect(cells).toEqual([
    [pid, '4', '4', 'sleep'],
    [String(pids[1]), '3', '3', '`-bash'],
    [String(pids[2]), '1', '1', '  |-sleep'],
    [String(pids[3]), '1', '1', '  `-sleep'],
  ])
})

test('a tree as JSON is nested, with what was asked for', async () => {
  const { pids } = await startTree()
  const threaded = await startProcess('idle', { name: hostileNames.escape, threads: 2 })
  const own = (await json('tree', String(threaded.pid), '--threads')).value
  expect(own).toMatchObject([{ name: hostileNames.escape.toString(), children: [] }])
  expect(own[0].threads).toHaveLength(2)
  const { value } = await json('tree', '--resources', '--command')
  const find = (nodes: { pid: number; children: [] }[], pid: number): object | undefined => {
    for (const node of nodes) {
      const found = node.pid === pid ? node : find(node.children, pid)
      if (found !== undefined) return found
    }
    return undefined
  }
  expect(find(value, pids[0]!)).toMatchObject({
    args: ['sleep', '1000'],
    subtree: { processes: 4, rssBytes: expect.any(Number), cpuPercent: expect.any(Number) },
    children: [{ pid: pids[1], children: [{ pid: pids[2] }, { pid: pids[3], children: [] }] }],
  })
})

test('states are counted and explained, and tell who waits for what', async () => {
  const zombie = await startWaits('never')
  const stuck = await startWaits('vfork')
  const hostile = await startProcess('stopped', { name: hostileNames.escape })
  const [counts, listed, text] = await Promise.all([
    muster(['states']),
    json('states', 'D,Z'),
    muster(['states', '--list']),
  ])
  expect(counts.code).toBe(0)
  expect(counts.stdout).toMatch(/^D +[1-9]\d* waits in the kernel, and takes no signal$/m)
  expect(counts.stdout).toMatch(/^T +[1-9]\d* stopped by a signal$/m)
  const { states, total, processes } = listed.value
  expect(states.reduce((sum: number, each: { processes: number }) => sum + each.processes, 0)).toBe(total)
  const of = (pid: number) => processes.find((each: { pid: number }) => each.pid === pid)
  expect(of(zombie.pid)).toMatchObject({ state: 'Z', ppid: zombie.parent, parentName: expect.any(String) })
  const wait = readFileSync(`/proc/${stuck.pid}/wchan`, 'utf8')
  expect(of(stuck.pid)).toMatchObject({ state: 'D' })
  if (wait !== '0') expect(of(stuck.pid).waitChannel).toBe(wait)
  expect(of(hostile.pid)).toBeUndefined()
  expect(text.stdout.replaceAll('\n', '')).not.toMatch(UNSAFE)
  expect(text.stdout).toMatch(new RegExp(`^ *${hostile.pid} .* T +\\\\e\\[31mred.* -$`, 'm'))
  expect(text.stdout).toMatch(
    new RegExp(`^ *${zombie.pid} .*left by waits.* \\(pid ${zombie.parent}\\)$`, 'm'),
  )
})

test('zombies are told by their parent, and a nudge tells what came of it', async () => {
  const nudged = await startWaits('nudged', 2)
  const never = await startWaits('never')
  const all = await muster(['zombies'])
  expect(all.code).toBe(0)
  expect(all.stdout).toMatch(/^a zombie has ended already and cannot be killed; /)
  expect(all.stdout).toMatch(
    new RegExp(`\\(pid ${nudged.parent}, sleeping\\); it has 2 zombies\n  zombies: \\d+ .*\\b${nudged.pid} `),
  )
  const [good, bad] = await Promise.all([
    muster(['zombies', String(nudged.parent), '--nudge']),
    json('zombies', String(never.parent), '--nudge'),
  ])
  expect(good.code).toBe(0)
  expect(good.stdout).toMatch(/^ {2}nudge: all 2 were reaped \([12] SIGCHLD, .*\)$/m)
  expect(bad.code).toBe(1)
  expect(bad.value).toMatchObject([
    {
      parent: { pid: never.parent, state: 'S', sigchld: 'default' },
      zombies: [{ pid: never.pid }],
      nudge: { ok: true, sent: 1, left: 1 },
    },
  ])
  expect(await muster(['zombies', String(nudged.parent)])).toMatchObject({ code: 0, stdout: 'no zombies\n' })
})

test('the host is told as /proc has it, once and again and again', async () => {
  const stat = readFileSync('/proc/stat', 'utf8')
  const [whole, memory, watch] = await Promise.all([
    json('system'),
    muster(['system', 'memory', 'load']),
    (async () => {
      const run = new Run(['system', 'load', '--watch', '0.1', '--json'])
      await run.said(/\n[^\n]*\n/)
      run.child.kill('SIGINT')
      return { ...(await run.ended), records: run.records() }
    })(),
  ])
  const totalKib = Number(/^MemTotal: +(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))![1])
  expect(whole).toMatchObject({
    code: 0,
    value: {
      memory: { totalBytes: totalKib * 1024 },
      cpu: { bootedAtMs: Number(/^btime (\d+)$/m.exec(stat)![1]) * 1000 },
      rates: { cpu: { busy: expect.any(Number) } },
    },
  })
  expect(whole.value.rates.cores).toHaveLength(stat.match(/^cpu\d+ /gm)!.length)
  expect(whole.value.processes.byState.S).toBeGreaterThan(0)
  expect(memory.stdout).toMatch(/^memory +\S+ .*\nswap .*\n\nload +\d+\.\d\d over 1 minute, /m)
  expect(watch.code).toBe(130)
  expect(watch.records.length).toBeGreaterThanOrEqual(2)
  for (const record of watch.records) {
    expect(record).toMatchObject({
      load: { tasks: expect.any(Number) },
      rates: { seconds: expect.any(Number) },
    })
  }
  const text = await muster(['system', 'cpu', 'cores', 'disks', 'network', 'interrupts', 'vmstat', 'kernel'])
  expect(text.code).toBe(0)
  expect(text.stdout.replaceAll('\n', '')).not.toMatch(UNSAFE)
  expect(text.stdout).toContain(readFileSync('/proc/version', 'utf8').trim())
  expect(text.stdout).toMatch(/^lo +\S+/m)
})

const ipcsIds = (option: string): Set<number> =>
  new Set(
    [...execFileSync('ipcs', [option], { encoding: 'utf8' }).matchAll(/^0x\S+ +(\d+) /gm)].map(([, id]) =>
      Number(id),
    ),
  )

function make(option: '-q' | '-m' | '-s', ...args: string[]): number {
  const id = Number(/: (\d+)$/m.exec(execFileSync('ipcmk', args, { encoding: 'utf8' }))![1])
  made.push([option, id])
  return id
}

test('IPC objects are listed with their users, and removed unless they are in use', async () => {
  const segment = make('-m', '-M', '8192', '-p', '0600')
  const queue = make('-q', '-Q')
  // Attached by a process of its own, which says so and waits.
  const program = `
import ctypes, sys
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
print(libc.shmat(${segment}, None, 0) != ctypes.c_void_p(-1).value, flush=True)
sys.stdin.read()`
  const user = spawn('python3', ['-c', program], { stdio: ['pipe', 'pipe', 'inherit'], detached: true })
  groups.push(user)
  expect(await once(createInterface({ input: user.stdout! }), 'line')).toEqual(['True'])
  const [text, { value }] = await Promise.all([muster(['ipc']), json('ipc')])
  expect(text.code).toBe(0)
  expect(text.stdout).toMatch(
    new RegExp(
      `^memory +${segment} +0x[0-9a-f]{8} 0600 .* 8\\.0K 1 attached .*last used by ${user.pid}, mapped by ${user.pid}$`,
      'm',
    ),
  )
  expect(text.stdout).toMatch(new RegExp(`^queue +${queue} `, 'm'))
  const listed = value.systemV.sharedMemory.find(({ id }: { id: number }) => id === segment)
  expect(listed).toMatchObject({ attached: 1, mappedBy: [{ pid: user.pid }] })
  const busy = await muster(['ipc', 'remove', 'memory', String(segment)])
  expect(busy).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/give force to remove it/),
  })
  const mistyped = await json('ipc', 'remove', 'memory', String(segment), '2147483647')
  expect(mistyped).toMatchObject({
    code: 5,
    value: [
      { id: 2147483647, ok: false, error: { code: 'NOT_FOUND' } },
      { id: segment, ok: false, error: { message: expect.stringMatching(/not removed/) } },
    ],
  })
  expect(ipcsIds('-m')).toContain(segment)
  const [forced, removed] = await Promise.all([
    muster(['ipc', 'remove', 'memory', String(segment), '--force']),
    json('ipc', 'remove', 'queue', String(queue)),
  ])
  expect(forced).toMatchObject({ code: 0, stdout: `memory ${segment}: removed\n` })
  expect(removed).toEqual({ code: 0, value: [{ kind: 'messageQueue', id: queue, ok: true }] })
  expect(ipcsIds('-q')).not.toContain(queue)
  const gone = await muster(['ipc', 'remove', 'queue', String(queue)])
  expect(gone).toMatchObject({
    code: 5,
    stderr: `muster: queue ${queue}: no such object; \`muster ipc\` lists those there are\n`,
  })
})

test.each([
  [['tree', '1', '--resources', '--threads'], 2, /--threads and --resources exclude each other/],
  [['tree', '0'], 4, /PID "0" is out of range; give a PID from 1/],
  [['tree', '4194304'], 5, /PID 4194304: no such process; `muster ps` lists/],
  [['states', 'D,Q'], 3, /LETTERS "Q" is no state; give letters of R,S,D/],
  [['zombies', '4194304', '--nudge'], 5, /PID 4194304: no such process/],
  [
    ['system', 'memroy', '--watch', '0'],
    3,
    /"memroy" is no section \(did you mean "memory"\?\)[^\n]*\n.*--watch "0" is out of range/,
  ],
  [
    ['ipc', 'remove', 'semaphore', 'x'],
    3,
    /KIND "semaphore" is none \(did you mean "semaphores"\?\)[^\n]*\n.*ID "x" is not/,
  ],
])('%j is a fault with value and way out', async (args, code, message) => {
  const ended = await muster(args)
  expect(ended).toMatchObject({ code, stdout: '' })
  expect(ended.stderr).toMatch(message)
})
