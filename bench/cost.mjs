// The CPU that steady sampling costs in all: the kernel's walk runs in our own system call, so the process's CPU time
// holds kernel, native and JavaScript.
import { fileURLToPath } from 'node:url'
import { parseOptions } from './options.mjs'
import { printTable, runJson, startFleet } from './programs.mjs'

const USAGE = `cost: share of one core that steady sampling takes

  --processes N   idle processes to start (10000)
  --rates A,B     samples a second (1,20)
  --seconds S     how long each, after 10 s to warm up (10)
  --sources A,B   where samples come from (bpf,procfs)
  --json          one JSON object instead of a table`

// V8 collects what the start has left behind some seconds later, which is not what sampling costs.
const WARMUP_SECONDS = 10
const sampling = fileURLToPath(new URL('sampling.mjs', import.meta.url))

export async function run(args) {
  const values = parseOptions(args, USAGE, {
    processes: 10_000,
    rates: '1,20',
    seconds: 10,
    sources: 'bpf,procfs',
  })
  if (values === undefined) return
  const fleet = await startFleet(values.processes)
  const results = []
  const failures = []
  try {
    for (const source of values.sources.split(',')) {
      for (const rate of values.rates.split(',').map(Number)) {
        const command = [process.execPath, sampling, source, 1000 / rate, WARMUP_SECONDS, values.seconds]
        const { output, reason } = runJson(command)
        if (output) results.push({ source, rate, ...output })
        else failures.push({ source, rate, reason })
      }
    }
  } finally {
    await fleet.stop()
  }
  if (values.json) {
    return console.log(JSON.stringify({ bench: 'cost', seconds: values.seconds, results, failures }))
  }
  console.log(`${values.processes} processes besides those of the host, ${values.seconds} s each\n`)
  printTable(results, [
    { key: 'source', title: '' },
    { key: 'rate', title: 'wanted 1/s', digits: 0 },
    { key: 'samplesPerSecond', title: 'taken 1/s' },
    { key: 'cpuPercent', title: '% of a core', digits: 2 },
    { key: 'cpuMsPerSample', title: 'CPU ms per sample', digits: 2 },
    { key: 'peakRssMiB', title: 'peak RSS MiB' },
  ])
  for (const { source, rate, reason } of failures) console.log(`${source} at ${rate}/s failed: ${reason}`)
}
