// The memory map of a process with very many mappings, and what the main thread feels of it, against pmap -X.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { identify, readMemoryMap } from '../dist/index.js'
import { parseOptions } from './options.mjs'
import { median, printTable, program } from './programs.mjs'

const USAGE = `map: readMemoryMap of a process with many mappings

  --mappings N    of one page each (60000)
  --rounds N      readings of each kind, in turn (9)
  --json          one JSON object instead of a table`

export async function run(args) {
  const values = parseOptions(args, USAGE, { mappings: 60_000, rounds: 9 })
  if (values === undefined) return
  const child = spawn(program('many_mappings', '../test/fixtures/'), [String(values.mappings)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const kinds = ['with use (smaps)', 'bounds and classes (maps)', 'pmap -X', 'as long a wait, idle']
  const readings = new Map(kinds.map((kind) => [kind, []]))
  try {
    await once(child.stdout, 'data')
    const target = await identify(child.pid)
    const [smaps, maps, pmap, idle] = kinds
    for (let round = 0; round < values.rounds; round++) {
      readings.get(smaps).push(await measured(() => readMemoryMap(target, { timeoutMs: 60_000 })))
      readings.get(maps).push(await measured(() => readMemoryMap(target, { usage: false })))
      readings.get(pmap).push(pmapMs(child.pid))
      // What the host itself holds up meanwhile.
      readings.get(idle).push(await measured(() => sleep(readings.get(smaps).at(-1).wallMs)))
    }
  } finally {
    child.kill('SIGKILL')
  }
  const results = kinds.map((kind) => summary(kind, readings.get(kind)))
  if (values.json) return console.log(JSON.stringify({ bench: 'map', ...values, results }))
  console.log(`${values.mappings} mappings, medians of ${values.rounds} readings\n`)
  printTable(results, [
    { key: 'kind', title: '' },
    { key: 'wallMs', title: 'wall ms', digits: 0 },
    { key: 'mainThreadMs', title: 'main thread busy ms' },
    { key: 'delayMs', title: 'its longest delay, median ms' },
    { key: 'worstDelayMs', title: 'worst ms' },
  ])
}

// What pmap's text and earlier readings left behind is not what a reading costs: V8 collects it with four threads, which
// on two cores keep the main one waiting for some 10 ms.
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')

async function measured(read) {
  collectGarbage()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await sleep(20)
  delay.reset()
  const before = performance.eventLoopUtilization()
  const began = performance.now()
  await read()
  const wallMs = performance.now() - began
  const { active } = performance.eventLoopUtilization(before)
  await sleep(5)
  delay.disable()
  return { wallMs, mainThreadMs: active, delayMs: delay.max / 1e6 }
}

function pmapMs(pid) {
  const began = performance.now()
  execFileSync('pmap', ['-X', String(pid)], { maxBuffer: 2 ** 28 })
  return { wallMs: performance.now() - began }
}

function summary(kind, taken) {
  const of = (key) => taken.map((each) => each[key]).filter((value) => value !== undefined)
  return {
    kind,
    wallMs: median(of('wallMs')),
    mainThreadMs: median(of('mainThreadMs')),
    delayMs: median(of('delayMs')),
    worstDelayMs: of('delayMs').length === 0 ? undefined : Math.max(...of('delayMs')),
  }
}
