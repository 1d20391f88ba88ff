// The delay that sampling imposes on other threads of the host: on each core a thread sleeps 1 ms in a loop and notes
// how late it wakes, in turn with and without a process that samples meanwhile.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseOptions } from './options.mjs'
import { median, printTable, program, runJson, startFleet } from './programs.mjs'

const USAGE = `latency: how late a thread wakes on a host that is sampled

  --processes N   idle processes to start (60000)
  --interval MS   time between samples (100)
  --seconds S     how long each (5)
  --rounds R      rounds, each source and none in turn (3)
  --sources A,B   where samples come from (bpf,procfs)
  --json          one JSON object instead of a table`

const START_MS = 3000 // until the sampling process has loaded and opened its source
const sampling = fileURLToPath(new URL('sampling.mjs', import.meta.url))

export async function run(args) {
  const values = parseOptions(args, USAGE, {
    processes: 60_000,
    interval: 100,
    seconds: 5,
    rounds: 3,
    sources: 'bpf,procfs',
  })
  if (values === undefined) return
  const names = ['none', ...values.sources.split(',')]
  const runs = new Map(names.map((name) => [name, []]))
  const failures = []
  const fleet = await startFleet(values.processes)
  try {
    for (let round = 0; round < values.rounds; round++) {
      for (const name of names) {
        if (failures.some(({ source }) => source === name)) continue
        const { output, reason } = await under(name, values)
        if (output) runs.get(name).push(output)
        else failures.push({ source: name, reason })
      }
    }
  } finally {
    await fleet.stop()
  }
  const results = names
    .map((source) => ({ source, outputs: runs.get(source) }))
    .filter(({ outputs }) => outputs.length > 0)
    .map(({ source, outputs }) => ({
      source,
      wakes: outputs.reduce((sum, { wakes }) => sum + wakes, 0),
      p50Ms: median(outputs.map(({ p50Ms }) => p50Ms)),
      p999Ms: median(outputs.map(({ p999Ms }) => p999Ms)),
      worstMs: Math.max(...outputs.map(({ worstMs }) => worstMs)),
      medianWorstMs: median(outputs.map(({ worstMs }) => worstMs)),
    }))
  for (const result of results) {
    result.addedP999Ms = result.p999Ms - results[0].p999Ms
    result.addedWorstMs = result.worstMs - results[0].worstMs
  }
  if (values.json) {
    return console.log(JSON.stringify({ bench: 'latency', ...values, results, failures }))
  }
  console.log(
    `${values.processes} processes besides those of the host, a sample every ${values.interval} ms; a thread on each core sleeps 1 ms in a loop, ${values.rounds} x ${values.seconds} s\n`,
  )
  printTable(results, [
    { key: 'source', title: 'sampled by' },
    { key: 'wakes', digits: 0 },
    { key: 'p50Ms', title: 'late p50 ms', digits: 3 },
    { key: 'p999Ms', title: 'p99.9 ms', digits: 3 },
    { key: 'worstMs', title: 'worst ms', digits: 2 },
    { key: 'medianWorstMs', title: 'worst, median of rounds', digits: 2 },
    { key: 'addedP999Ms', title: 'added p99.9', digits: 3 },
    { key: 'addedWorstMs', title: 'added worst', digits: 2 },
  ])
  for (const { source, reason } of failures) console.log(`${source} failed: ${reason}`)
}

async function under(source, { interval, seconds }) {
  const sleeper = [program('sleeper'), seconds]
  if (source === 'none') return runJson(sleeper)
  const sampler = spawn(process.execPath, [sampling, source, interval, 0, START_MS / 1000 + seconds + 1], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  sampler.stderr.on('data', (text) => {
    stderr += text
  })
  const ended = once(sampler, 'exit')
  await sleep(START_MS)
  if (sampler.exitCode !== null) {
    return { reason: /^\w*Error.*/m.exec(stderr)?.[0] ?? `exit status ${sampler.exitCode}` }
  }
  const result = runJson(sleeper)
  await ended
  return result
}
