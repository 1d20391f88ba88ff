import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Sampler } from '../../dist/index.js'
import { evaluateConfined, runConfined, type Setting } from '../fixtures/confined_node.js'
import { startProcess, stopAll } from '../fixtures/processes.js'
import { canBpf } from '../fixtures/sources.js'

const isRoot = process.getuid?.() === 0
const library = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)
afterAll(stopAll)

interface Opened {
  source?: string
  reason?: string
  code?: string
  message?: string
  own?: boolean
  otherIo?: boolean
}

/** A script that opens a sampler with these options and says what came of it. */
const opening = (options: string, pid = 1) => `
  const { Sampler } = await import(${library})
  let said
  try {
    const sampler = await Sampler.open(${options})
    const table = await sampler.sample()
    said = {
      source: sampler.source, reason: sampler.sourceReason,
      own: table.get(process.pid)?.name !== undefined, otherIo: table.get(${pid})?.rchar !== undefined,
    }
    await sampler.close()
  } catch ({ code, message }) { said = { code, message } }
  console.log(JSON.stringify(said))
`

describe('the choice of a source', () => {
  it('takes procfs for another proc root, and says why', async () => {
    await using sampler = await Sampler.open({ procRoot: '/proc/self/root/proc' })
    expect(sampler.source).toBe('procfs')
    expect(sampler.sourceReason).toMatch(/^procfs: no bpf here, for the proc root is .*; to have it, leave/)
    expect((await sampler.sample()).source).toBe('procfs')
    await expect(Sampler.open({ source: 'bpf', procRoot: '/proc/self/root/proc' })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(/cannot be had: the proc root .*leave procRoot out/),
    })
  })

  it('takes procfs where it is asked for', async () => {
    await using sampler = await Sampler.open({ source: 'procfs' })
    expect(sampler.sourceReason).toBe('procfs: it was asked for')
  })

  it.skipIf(!canBpf)('takes bpf by itself where it can be had', async () => {
    await using sampler = await Sampler.open()
    expect([sampler.source, (await sampler.sample()).source]).toEqual(['bpf', 'bpf'])
    expect(sampler.sourceReason).toMatch(/^bpf: /)
  })

  describe.skipIf(!isRoot || !canBpf)('in settings that root can make', () => {
    it.each([
      ['nobody', 'ACCESS_DENIED', /CAP_BPF.*setcap/],
      ['pidNamespace', 'UNSUPPORTED', /pid namespace/],
      ['pidNamespaceOuterProc', 'UNSUPPORTED', /pid namespace/],
      ['timeNamespace', 'UNSUPPORTED', /time namespace/],
      ['userNamespace', 'ACCESS_DENIED', /user namespace/],
    ] satisfies [Setting, string, RegExp][])('%s: procfs, or an error with the way out', async (...given) => {
      const [setting, code, text] = given
      const auto = await evaluateConfined<Opened>(setting, opening('{}'))
      expect(auto).toMatchObject({ source: 'procfs', reason: expect.stringMatching(text) })
      // With the /proc of the outer namespace its pid is another process's.
      if (setting !== 'pidNamespaceOuterProc') expect(auto.own).toBe(true)
      const bpf = await evaluateConfined<Opened>(setting, opening("{ source: 'bpf' }"))
      expect(bpf).toMatchObject({ code, message: expect.stringMatching(text) })
    })

    it('works for a user with CAP_BPF and CAP_PERFMON alone, and shows what procfs would deny', async () => {
      const { pid } = await startProcess('idle', { undumpable: true })
      const options = "{ groups: ['io', 'status', 'kernel', 'exactRss'] }"
      const said = await evaluateConfined<Opened>('bpfOnly', opening(options, pid))
      expect(said).toMatchObject({ source: 'bpf', own: true, otherIo: true })
    })

    // A sanitizer's Node.js is a script, and its runtime is not preloaded into a program with capabilities.
    const sanitized = process.env.PROCMUSTER_SANITIZER !== undefined
    it.skipIf(sanitized)('works for a user by the capabilities of the Node.js program', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'node-'))
      const node = join(folder, 'node')
      copyFileSync(process.execPath, node)
      execFileSync('chmod', ['755', folder])
      execFileSync('setcap', ['cap_bpf,cap_perfmon+ep', node])
      const args = ['--input-type=module', '-e', opening("{ source: 'bpf' }")]
      const { stdout, stderr } = await runConfined('nobody', args, node)
      rmSync(folder, { recursive: true })
      expect(stderr).toBe('')
      expect(JSON.parse(stdout)).toMatchObject({ source: 'bpf', own: true })
    })
  })
})

describe.skipIf(!canBpf)('a running bpf source', () => {
  it('shares the kernel with another one', async () => {
    await using one = await Sampler.open({ source: 'bpf' })
    await using two = await Sampler.open({ source: 'bpf', groups: ['io', 'exactRss'], capacity: 1 })
    for (let i = 0; i < 20; i++) {
      const tables = await Promise.all([one.sample(), two.sample()])
      for (const table of tables) expect(table.get(process.pid)?.pid).toBe(process.pid)
      expect(Math.abs(tables[0].size - tables[1].size)).toBeLessThan(tables[0].size / 2)
    }
  })

  it.skipIf(!isRoot)('goes on after the capabilities were dropped: what is loaded is loaded', async () => {
    const script = `
      const { Sampler } = await import(${library})
      const sampler = await Sampler.open({ source: 'bpf', groups: ['io'] })
      const before = (await sampler.sample()).get(1)?.slot
      process.setgroups([]); process.setgid(65534); process.setuid(65534)
      const table = await sampler.sample()
      const other = await Sampler.open().then(({ source }) => source)
      console.log(JSON.stringify([sampler.source, table.get(1)?.slot === before, table.get(process.pid)?.uid, other]))
      process.exit()
    `
    expect(await evaluateConfined('asStarted', script)).toEqual(['bpf', true, 65534, 'procfs'])
  })

  // Another file takes the place of its program: the kernel then answers each run with an error.
  const refused = (source: string) => `
    import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs'
    const { Sampler } = await import(${library})
    const sampler = await Sampler.open({ source: '${source}', groups: ['io'] })
    await sampler.sample()
    const before = await sampler.sample()
    const own = before.get(process.pid)
    const [slot, generation] = [own.slot, own.generation]
    const init = before.get(1).slot
    for (const fd of readdirSync('/proc/self/fd')) {
      let link = ''
      try { link = readlinkSync('/proc/self/fd/' + fd) } catch {}
      if (link !== 'anon_inode:bpf-prog') continue
      closeSync(Number(fd))
      while (openSync('/dev/null') < Number(fd)); // the lowest free number first
    }
    const said = { was: before.source }
    try {
      const table = await sampler.sample()
      const row = table.get(process.pid)
      said.same = row.slot === slot && row.generation === generation
      said.cpu = row.cpuPercent >= 0
      // Who was there is not born, gone or another program for it; how many others are, the host's load says.
      said.changed = [...table.bornSlots, ...table.goneSlots, ...table.execedSlots].filter((each) => each === slot || each === init)
      said.sequence = table.sequence
      said.now = table.source
      said.later = (await sampler.sample()).get(process.pid).slot === slot
      said.reason = sampler.sourceReason
    } catch ({ code, message, errno }) { Object.assign(said, { code, message, errno }) }
    console.log(JSON.stringify(said))
    process.exit()
  `

  it('goes on with procfs in the same table when the kernel refuses it, by itself with auto', async () => {
    expect(await evaluateConfined('asStarted', refused('auto'))).toEqual({
      ...{
        was: 'bpf',
        now: 'procfs',
        same: true,
        cpu: true,
        changed: [],
        sequence: 3,
        later: true,
      },
      reason: 'procfs, after bpf: the kernel refused to run its program (EINVAL)',
    })
  })

  it('throws then where bpf was asked for, with the reason and the way out', async () => {
    expect(await evaluateConfined('asStarted', refused('bpf'))).toMatchObject({
      code: 'UNSUPPORTED',
      errno: 22,
      message: expect.stringMatching(/refused to run its program \(EINVAL\); .*'auto'/),
    })
  })

  it.each(['auto', 'bpf'])('is refused at once where bpf(2) is forbidden (%s)', async (source) => {
    const { compileFixture } = await import('../fixtures/compile.js')
    const number = process.arch === 'arm64' ? 280 : 321 // bpf(2)
    const args = [`deny=${number}`, '--', process.execPath, '--input-type=module']
    const output = execFileSync(
      await compileFixture('confined.c'),
      [...args, '-e', opening(`{ source: '${source}' }`)],
      { encoding: 'utf8', timeout: 30_000 },
    )
    const said = JSON.parse(output) as Opened
    if (source === 'bpf')
      expect(said).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('EPERM') })
    else expect(said).toMatchObject({ source: 'procfs', own: true, reason: expect.stringContaining('EPERM') })
  })

  it('reads rows near a threshold again exactly', async () => {
    const { pid } = await startProcess('stopped', { rss: 64 << 20 })
    const exact = await Sampler.open({ source: 'procfs' })
    const rss = (await exact.sample()).get(pid)!.rssBytes!
    await exact.close()
    await using sampler = await Sampler.open({ source: 'bpf' })
    await sampler.sample()
    sampler.setExactNear(Float64Array.of(Number.NaN, 1 << 20, rss + 4096))
    expect((await sampler.sample()).get(pid)!.rssBytes).toBe(rss)
  })

  it.each([[[1 << 20]], [new Uint8Array(8)], [undefined]])('refuses %j as thresholds', async (thresholds) => {
    await using sampler = await Sampler.open()
    expect(() => sampler.setExactNear(thresholds as never)).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('no Float64Array; give Float64Array.of'),
      }),
    )
  })
})
