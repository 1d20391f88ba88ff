import { execFileSync } from 'node:child_process'
import { closeSync, constants, existsSync, openSync } from 'node:fs'
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { collectEvidence, identify } from '../../dist/index.js'
import { hostileNames, startProcess, stopAll } from '../fixtures/processes.js'
import { statLine } from '../fixtures/stat_line.js'

const root = process.getuid!() === 0
let base: string

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'muster-evidence-'))
})
afterEach(async () => {
  await stopAll()
  await rm(base, { recursive: true })
})

const manifestOf = async (directory: string) =>
  JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8'))

test('keeps what /proc says, private, with a manifest that accounts for every file', async () => {
  const target = await startProcess('idle', { name: 'leaky', env: { SECRET: 'do not keep' } })
  const identity = await identify(target.pid)
  const directory = join(base, 'not', 'there')
  const evidence = await collectEvidence(identity, {
    directory,
    rule: 'leak',
    reason: 'rssBytes 600 MiB > 500 MiB',
    now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  })
  expect(evidence.directory).toBe(join(directory, `2026-01-02T03-04-05.678Z-${target.pid}-leaky`))
  for (const path of [join(base, 'not'), directory, evidence.directory]) {
    expect((await stat(path)).mode & 0o7777).toBe(0o700)
  }
  const kept = evidence.files.filter((file) => file.error === undefined)
  expect((await readdir(evidence.directory)).sort()).toEqual(
    [...kept.map(({ name }) => name), 'manifest.json'].sort(),
  )
  for (const { name, bytes } of kept) {
    const { mode, size } = await stat(join(evidence.directory, name))
    expect([name, mode & 0o7777, size]).toEqual([name, 0o600, bytes])
  }
  for (const name of [
    'maps',
    'smaps',
    'status',
    'limits',
    'stat',
    'io',
    'fd',
    'cgroup',
    'cmdline',
    'ns',
    'task',
  ]) {
    expect(kept.map((file) => file.name)).toContain(name)
  }
  expect(await readFile(join(evidence.directory, 'maps'), 'utf8')).toBe(
    await readFile(`/proc/${target.pid}/maps`, 'utf8'),
  )
  const manifest = await manifestOf(evidence.directory)
  expect(manifest).toMatchObject({
    version: 1,
    time: '2026-01-02T03:04:05.678Z',
    pid: target.pid,
    startTicks: identity.startTicks,
    name: 'leaky',
    rule: 'leak',
    reason: 'rssBytes 600 MiB > 500 MiB',
    bytes: evidence.bytes,
    truncated: false,
    vanished: false,
  })
  expect(manifest.files).toEqual(evidence.files)
  for (const { name } of kept) {
    expect(await readFile(join(evidence.directory, name), 'latin1')).not.toContain('do not keep')
  }
})

test('the environment only when asked', async () => {
  const target = await startProcess('idle', { env: { SECRET: 'asked for' } })
  const evidence = await collectEvidence(await identify(target.pid), { directory: base, environ: true })
  expect(await readFile(join(evidence.directory, 'environ'), 'utf8')).toContain('SECRET=asked for\0')
})

test('two sets within one millisecond are two sets', async () => {
  const target = await startProcess('idle')
  const identity = await identify(target.pid)
  const now = () => 1_700_000_000_000
  const sets = await Promise.all([1, 2, 3].map(() => collectEvidence(identity, { directory: base, now })))
  expect(new Set(sets.map((set) => set.directory)).size).toBe(3)
})

test.each(Object.keys(hostileNames))('the name %s stays inside', async (key) => {
  const target = await startProcess('idle', { name: hostileNames[key as keyof typeof hostileNames] })
  const evidence = await collectEvidence(await identify(target.pid), { directory: base })
  expect(evidence.directory.slice(base.length)).toMatch(/^\/[A-Za-z0-9.-]+Z-\d+-[A-Za-z0-9_-]{1,32}$/)
  expect((await manifestOf(evidence.directory)).pid).toBe(target.pid)
})

test('a set is cut at its limit, and says so', async () => {
  const target = await startProcess('idle')
  const evidence = await collectEvidence(await identify(target.pid), { directory: base, maxBytes: 5000 })
  expect(evidence.bytes).toBeLessThanOrEqual(5000)
  expect(evidence.files.some((file) => file.truncated)).toBe(true)
  expect(await manifestOf(evidence.directory)).toMatchObject({ truncated: true, maxBytes: 5000 })
})

test('a process that vanished, before or midway, is what the manifest says', async () => {
  const target = await startProcess('idle')
  const identity = await identify(target.pid)
  const collecting = collectEvidence(identity, { directory: base })
  await target.stop()
  await collecting
  const after = await collectEvidence(identity, { directory: base })
  expect(after.bytes).toBe(0)
  expect(after.files.every((file) => file.error?.startsWith('PROCESS_GONE'))).toBe(true)
  expect(await manifestOf(after.directory)).toMatchObject({ vanished: true, bytes: 0 })
})

test('a zombie has little, and that is kept', async () => {
  const target = await startProcess('zombie')
  const evidence = await collectEvidence(await identify(target.pid), { directory: base })
  expect(evidence.files.find(({ name }) => name === 'status')!.bytes).toBeGreaterThan(0)
})

test('a file that stalls ends the reading, and what was read before it is kept', async () => {
  const procRoot = join(base, 'proc')
  const process = join(procRoot, '77')
  await mkdir(process, { recursive: true })
  await writeFile(join(process, 'stat'), statLine(77, 5000))
  await writeFile(join(process, 'status'), 'Name:\tx\n')
  execFileSync('mkfifo', [join(process, 'maps')])
  try {
    const evidence = await collectEvidence(
      { pid: 77, startTicks: 5000, settled: true },
      { directory: join(base, 'kept'), procRoot, timeoutMs: 300 },
    )
    const of = (name: string) => evidence.files.find((file) => file.name === name)!
    expect(of('status')).toEqual({ name: 'status', bytes: 8, truncated: false })
    expect(of('maps').error).toMatch(/^TIMEOUT/)
    expect(of('smaps').error).toMatch(/^TIMEOUT.*stalled/)
  } finally {
    closeSync(openSync(join(process, 'maps'), constants.O_RDWR | constants.O_NONBLOCK))
  }
})

describe('a directory that is unsafe is refused', () => {
  const refused = async (directory: string, message: RegExp) => {
    await expect(
      collectEvidence({ pid: process.pid, startTicks: 1, settled: true }, { directory }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) })
  }

  test('a link, with and without a slash, and a file', async () => {
    await mkdir(join(base, 'real'))
    await symlink(join(base, 'real'), join(base, 'link'))
    await refused(join(base, 'link'), /symbolic link/)
    await refused(`${join(base, 'link')}/`, /symbolic link/)
    await symlink(join(base, 'nowhere'), join(base, 'dangling'))
    await refused(join(base, 'dangling'), /symbolic link/)
    await writeFile(join(base, 'file'), '')
    await refused(join(base, 'file'), /no directory/)
    expect(await readdir(join(base, 'real'))).toEqual([])
    expect(existsSync(join(base, 'nowhere'))).toBe(false)
  })

  test('one that others may write to, unless it is sticky', async () => {
    const open = join(base, 'open')
    await mkdir(open)
    await chmod(open, 0o777)
    await refused(open, /chmod go-w/)
    await chmod(open, 0o1777)
    await collectEvidence(await identify(process.pid), { directory: open, maxBytes: 1000 })
  })

  test.runIf(root)("another user's", async () => {
    const foreign = join(base, 'foreign')
    await mkdir(foreign)
    await chown(foreign, 65534, 65534)
    await refused(foreign, /belongs to user 65534/)
  })
})

describe('room', () => {
  test('a budget refuses, or removes the oldest when told to', async () => {
    const target = await startProcess('idle')
    const identity = await identify(target.pid)
    let now = Date.UTC(2026, 0, 1)
    const collect = (options: object) =>
      collectEvidence(identity, { directory: base, maxBytes: 6000, now: () => now++, ...options })
    const first = await collect({})
    const second = await collect({})
    await writeFile(join(base, 'other.txt'), 'not a set')
    await expect(collect({ budgetBytes: 10_000 })).rejects.toMatchObject({
      code: 'IO_ERROR',
      message: expect.stringContaining('evidence budget'),
    })
    const third = await collect({ budgetBytes: 20_000, prune: true })
    const sets = (await readdir(base)).sort()
    expect(sets).not.toContain(first.directory.split('/').at(-1))
    expect(sets).toContain(third.directory.split('/').at(-1))
    expect(sets).toContain('other.txt')
    expect(sets.length).toBeLessThanOrEqual(3)
    expect(second.bytes).toBeGreaterThan(0)
  })

  // Needs root, to make a directory of another user's.
  test.runIf(root)("what looks like a set and is another user's is neither counted nor removed", async () => {
    const target = await startProcess('idle')
    const identity = await identify(target.pid)
    const sticky = join(base, 'sticky')
    await mkdir(sticky)
    await chmod(sticky, 0o1777)
    const theirs = join(sticky, '2020-01-01T00-00-00.000Z-1-theirs')
    await mkdir(theirs)
    await writeFile(join(theirs, 'large'), Buffer.alloc(100_000))
    await chown(theirs, 65534, 65534)
    const options = { directory: sticky, maxBytes: 6000, budgetBytes: 20_000, prune: true }
    expect((await collectEvidence(identity, options)).bytes).toBeGreaterThan(0)
    expect(await readdir(theirs)).toEqual(['large'])
  })

  // Needs root: mounts a small file system and fills it.
  test.runIf(root)(
    'a full disk is an error that names the path; what was written stays, with its manifest',
    async () => {
      const target = await startProcess('idle')
      const identity = await identify(target.pid)
      const small = join(base, 'small')
      await mkdir(small)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'tmpfs', small])
      try {
        const failure = await collectEvidence(identity, { directory: small }).catch((error) => error)
        expect(failure).toMatchObject({ code: 'IO_ERROR', errno: 28, path: expect.stringContaining(small) })
        const [set] = await readdir(small)
        const manifest = await manifestOf(join(small, set!))
        expect(manifest.files.at(-1).error).toMatch(/^IO_ERROR.*ENOSPC/)
        for (const { name, bytes, error } of manifest.files) {
          if (error === undefined) expect((await stat(join(small, set!, name))).size).toBe(bytes)
        }
      } finally {
        execFileSync('umount', ['-l', small])
      }
    },
  )
})
