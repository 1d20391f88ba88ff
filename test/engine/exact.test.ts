import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startProcess, type TestProcess } from '../fixtures/processes.js'
import { statField } from '../fixtures/stat_line.js'
import { Bench, MIB, nextTick } from './engines.js'

let bench: Bench
beforeEach(async () => {
  bench = await Bench.open()
})
afterEach(() => bench.clean())

const PAGE = 4096

/** A stopped process whose approximate RSS, as proc_pid_stat(5) field 24 has it, is not the exact one of statm. */
async function startInDoubt(): Promise<{ target: TestProcess; exact: number; approximate: number }> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const target = await startProcess('stopped', { rss: 5 * MIB + attempt * PAGE, threads: 1 })
    const stat = await readFile(`/proc/${target.pid}/stat`, 'latin1')
    const approximate = Number(statField(stat, 24)) * PAGE
    const exact = Number((await readFile(`/proc/${target.pid}/statm`, 'latin1')).split(' ')[1]) * PAGE
    if (approximate !== exact) return { target, exact, approximate }
    await target.stop()
  }
  throw new Error('no process had an approximate RSS that differs from the exact one')
}

async function firing(pid: number, conditions: Record<string, string>): Promise<string[]> {
  const rules = Object.entries(conditions).map(([name, when]) => ({ name, when, match: { pid } }))
  const engine = await bench.start({ rules, sampler: { source: 'bpf' }, events: 'off' })
  // Long enough for what waits 200 ms to fire, wrongly too.
  const since = performance.now()
  while (performance.now() - since < 600) await nextTick(engine)
  for (let ticks = 0; ticks < 3; ticks++) await nextTick(engine)
  await engine.close()
  const cleared = (await bench.recordsOf('decision')).filter(({ kind }) => kind === 'clear')
  expect(cleared).toEqual([])
  return [...new Set((await bench.recordsOf('alert')).map(({ alert }) => alert.rule))].sort()
}

describe('a process parked within the error of a threshold, with the bpf source', () => {
  it('makes the rules fire that hold for its exact memory, and no other', async () => {
    const { target, exact, approximate } = await startInDoubt()
    const { MemTotal = '' } = Object.fromEntries(
      (await readFile('/proc/meminfo', 'latin1')).split('\n').map((line) => line.split(/:\s+/)),
    ) as Record<string, string>
    const percent = (bytes: number) => (100 * bytes) / (Number.parseInt(MemTotal, 10) * 1024)
    const between = (exact + approximate) / 2
    const isOver = exact > approximate
    const fired = await firing(target.pid, {
      'yes: over': `rss > ${exact - 1}B`,
      'no: over': `rss > ${exact}B`,
      'yes: under': `rss < ${exact + 1}B`,
      'no: under': `rss < ${exact}B`,
      'yes: equal': `rss == ${exact}B`,
      'no: unequal': `rss != ${exact}B`,
      'yes: over for a while': `rss > ${exact - 1}B for 200ms`,
      'no: over for a while': `rss > ${exact}B for 200ms`,
      'yes: between': `rss ${isOver ? '>' : '<'} ${between}B for 200ms`,
      'no: between': `rss ${isOver ? '<' : '>'} ${between}B`,
      'yes: percent': `memory > ${percent(exact - PAGE / 2)} and memory < ${percent(exact + PAGE / 2)}`,
      'no: percent': `memory ${isOver ? '<' : '>'} ${percent(between)}`,
    })
    expect(fired).toEqual([
      ...['yes: between', 'yes: equal', 'yes: over', 'yes: over for a while', 'yes: percent', 'yes: under'],
    ])
  })

  it('the same for the kinds of its memory', async () => {
    const { target } = await startInDoubt()
    const status = await readFile(`/proc/${target.pid}/status`, 'latin1')
    const bytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)![1]) * 1024
    const shared = Number((await readFile(`/proc/${target.pid}/statm`, 'latin1')).split(' ')[2]) * PAGE
    const conditions = {
      ...{ anon: `rssAnon == ${bytes('RssAnon')}B`, file: `rssFile == ${bytes('RssFile')}B` },
      ...{ shmem: `rssShmem == ${bytes('RssShmem')}B`, shared: `shared == ${shared}B` },
      ...{ swap: `swap == ${bytes('VmSwap')}B`, peak: `peakRss >= ${bytes('VmRSS')}B` },
    }
    expect(await firing(target.pid, conditions)).toEqual(Object.keys(conditions).sort())
  })
})
