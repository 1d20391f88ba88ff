// Time to sample every process of the host: procmuster and the others, each in a process of its own, in turn, in one
// run, so that their ratios to the floor hold whatever the machine does meanwhile.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { parseOptions } from './options.mjs'
import { median, printTable, program, runJson, startFleet } from './programs.mjs'

const USAGE = `sample: time to sample every process

  --processes N   idle processes to start (10000)
  --rounds R      rounds, each contender once in each (5)
  --only A,B      these contenders only, besides the floor
  --json          one JSON object instead of a table`

const file = (name) => fileURLToPath(new URL(name, import.meta.url))
const PS = [
  'ps',
  '-eo',
  'pid,ppid,pgid,sid,tty,stat,nlwp,ni,pri,psr,lstart,euid,times,rss,vsz,min_flt,maj_flt,comm',
]
const PYTHON = '/usr/bin/python3' // the distribution's: the one that python3-psutil is for

const node = (name, warmups = 3, samples = 5, pauseMs = 20) => ({
  name,
  command: [process.execPath, file('contender.mjs'), name, warmups, samples, pauseMs],
})
const CONTENDERS = [
  { name: 'floor', command: [program('floor'), 3, 5] },
  node('procmuster-bpf', 3, 20),
  node('kernel-walk', 3, 20),
  node('procmuster-procfs'),
  node('node-fs-sync'),
  node('node-fs-promises'),
  { ...node('pidusage', 1, 2), installed: () => resolves('pidusage') },
  // It gives the same answer again within half a second.
  { ...node('systeminformation', 1, 1, 600), installed: () => resolves('systeminformation') },
  { name: 'ps', command: [program('timed'), 1, 3, ...PS], installed: () => runs('ps', '--version') },
  {
    name: 'psutil',
    command: [PYTHON, file('psutil_contender.py'), 1, 3],
    installed: () => runs(PYTHON, '-c', 'import psutil'),
  },
]

export async function run(args) {
  const values = parseOptions(args, USAGE, { processes: 10_000, rounds: 5, only: undefined })
  if (values === undefined) return
  const only = values.only?.split(',')
  const chosen = CONTENDERS.filter(({ name }) => name === 'floor' || !only || only.includes(name))
  const missing = chosen.filter(({ installed }) => installed && !installed()).map(({ name }) => name)
  const contenders = chosen.filter(({ name }) => !missing.includes(name))
  for (const name of missing) console.error(`${name} is not installed; it is left out`)

  const fleet = await startFleet(values.processes)
  try {
    const processes = readdirSync('/proc').filter((name) => name > '0' && name < ':').length
    const { results, failures } = measure(contenders, values.rounds)
    if (values.json) {
      console.log(JSON.stringify({ bench: 'sample', processes, rounds: values.rounds, results, failures }))
      return
    }
    console.log(`${processes} processes, ${values.rounds} rounds; medians of one sample\n`)
    printTable(results, [
      { key: 'name', title: '' },
      { key: 'wallMs', title: 'wall ms' },
      { key: 'cpuMs', title: 'cpu ms' },
      { key: 'wallRatio', title: 'wall/floor', digits: 3 },
      { key: 'cpuRatio', title: 'cpu/floor', digits: 3 },
      { key: 'loopP99Ms', title: 'loop p99 ms' },
      { key: 'loopMaxMs', title: 'loop max ms' },
      { key: 'seen', title: 'processes seen', digits: 0 },
    ])
    for (const { name, reason } of failures) console.log(`${name} failed: ${reason}`)
  } finally {
    await fleet.stop()
  }
}

function measure(contenders, rounds) {
  const outputs = new Map(contenders.map(({ name }) => [name, []]))
  const failures = []
  for (let round = 0; round < rounds; round++) {
    for (const { name, command } of contenders) {
      if (failures.some((failure) => failure.name === name)) continue
      const { output, reason } = runJson(command)
      if (output) outputs.get(name).push(output)
      else failures.push({ name, reason })
    }
  }
  for (const { name, reason } of failures) {
    // A peer may break at this size, and the kernel's own table may be out of reach; what works everywhere may not fail.
    if (name === 'floor' || name === 'procmuster-procfs') throw new Error(`${name} failed: ${reason}`)
    outputs.delete(name)
  }
  const results = [...outputs].map(([name, runs]) => {
    const samples = runs.flatMap((one) => one.samples)
    const delays = runs.flatMap(({ loopDelayMs }) => loopDelayMs ?? [])
    return {
      name,
      wallMs: median(samples.map(({ wallMs }) => wallMs)),
      cpuMs: median(samples.map(({ cpuMs }) => cpuMs)),
      samples: samples.length,
      seen: runs[0].processes,
      ...(delays.length > 0 && {
        loopP50Ms: median(delays.map(({ p50 }) => p50)),
        loopP99Ms: median(delays.map(({ p99 }) => p99)),
        loopMaxMs: Math.max(...delays.map(({ max }) => max)),
      }),
    }
  })
  const floor = results[0]
  const withRatios = results.map((result) => ({
    ...result,
    wallRatio: result.wallMs / floor.wallMs,
    cpuRatio: result.cpuMs / floor.cpuMs,
  }))
  return { results: withRatios, failures }
}

function runs(command, ...args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

function resolves(name) {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}
