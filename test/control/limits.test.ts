import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { afterEach, expect, test } from 'vitest'
import { getResourceLimits, identify, RESOURCES, setPriority, setResourceLimit } from '../../dist/index.js'
import { startProcess, stopAll } from '../fixtures/processes.js'
import { statField } from '../fixtures/stat_line.js'

afterEach(stopAll)

async function nices(pid: number): Promise<string[]> {
  const { readdir } = await import('node:fs/promises')
  const tids = await readdir(`/proc/${pid}/task`)
  return Promise.all(
    tids.map(async (tid) => {
      const stat = await readFile(`/proc/${pid}/task/${tid}/stat`, 'latin1')
      return statField(stat, 19)
    }),
  )
}

test('nice holds for all threads', async () => {
  const target = await startProcess('idle', { threads: 4 })
  const identity = await identify(target.pid)
  expect(await setPriority([identity], 7)).toEqual([{ pid: target.pid, ok: true }])
  expect(await nices(target.pid)).toEqual(['7', '7', '7', '7', '7'])
  await expect(setPriority([identity], 20)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('one stale target among good ones changes nothing for them', async () => {
  const target = await startProcess('idle')
  const identity = await identify(target.pid)
  const stale = { ...identity, startTicks: identity.startTicks - 1, pidfsInode: undefined }
  const results = await setPriority([stale, identity], 3)
  expect(results.map((result) => (result.ok ? 'ok' : result.error.code))).toEqual(['PROCESS_GONE', 'ok'])
  const [limited] = await setResourceLimit([stale], 'nofile', { soft: 10 })
  expect(limited).toMatchObject({ ok: false, error: { code: 'PROCESS_GONE' } })
})

test('limits by name, as the kernel shows them', async () => {
  const target = await startProcess('idle')
  const identity = await identify(target.pid)
  expect(RESOURCES).toHaveLength(16)
  await setResourceLimit([identity], 'nofile', { soft: 64, hard: 128 })
  await setResourceLimit([identity], 'core', { soft: 0 })
  await setResourceLimit([identity], 'cpu', { hard: 'unlimited' })
  const limits = await getResourceLimits(identity)
  expect(limits.nofile).toEqual({ soft: 64, hard: 128 })
  expect(limits.core.soft).toBe(0)
  expect(Object.keys(limits)).toEqual([...RESOURCES])
  const shown = await readFile(`/proc/${target.pid}/limits`, 'utf8')
  expect(shown).toMatch(/Max open files +64 +128/)
  const titles: Record<string, string> = {
    stack: 'Max stack size',
    as: 'Max address space',
    rttime: 'Max realtime timeout',
  }
  for (const [name, title] of Object.entries(titles)) {
    const { soft, hard } = limits[name as 'stack']
    expect(shown).toMatch(new RegExp(`${title} +${soft} +${hard}`))
  }
})

test('each resource is set, as prlimit then has it', async () => {
  const { pid } = await startProcess('stopped')
  const identity = await identify(pid)
  for (const resource of RESOURCES) {
    const { soft, hard } = (await getResourceLimits(identity))[resource]
    const highest = hard === 'unlimited' ? 1_000_000 : hard
    const wanted = { soft: Math.floor(highest / 2), hard: highest }
    expect(await setResourceLimit([identity], resource, wanted), resource).toEqual([{ pid, ok: true }])
    const shown = execFileSync('prlimit', [
      `--pid=${pid}`,
      `--${resource}`,
      '--raw',
      '--noheadings',
      '-o',
      'SOFT,HARD',
    ])
    expect(shown.toString().trim().split(/ +/).map(Number), resource).toEqual([wanted.soft, wanted.hard])
    expect((await getResourceLimits(identity))[resource], `${resource}, ${soft} before`).toEqual(wanted)
  }
})

test('a limit that would cross the other one, which was not given, is refused by its name', async () => {
  const identity = await identify((await startProcess('idle')).pid)
  await setResourceLimit([identity], 'nofile', { soft: 64, hard: 128 })
  const code = 'OUT_OF_RANGE'
  const [high] = await setResourceLimit([identity], 'nofile', { soft: 129 })
  expect(high).toMatchObject({
    ok: false,
    error: { code, message: expect.stringMatching(/soft limit 129 .*, 128; give less/) },
  })
  const [low] = await setResourceLimit([identity], 'nofile', { hard: 63 })
  expect(low).toMatchObject({
    ok: false,
    error: { code, message: expect.stringMatching(/hard limit 63 .*, 64; give more/) },
  })
  expect((await getResourceLimits(identity)).nofile).toEqual({ soft: 64, hard: 128 })
})

test('what is no limit is refused', async () => {
  const identity = await identify((await startProcess('idle')).pid)
  for (const [resource, limit] of [
    ['files', { soft: 1 }],
    ['nofile', { soft: -1 }],
    ['nofile', { soft: 1.5 }],
    ['nofile', { soft: 10, hard: 5 }],
    ['nofile', { soft: '10' }],
  ] as const) {
    await expect(
      setResourceLimit([identity], resource as 'nofile', limit as { soft: number }),
    ).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  }
})
