// Cost per process and peak memory as the host grows, each source in a process of its own at each size.
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseOptions } from './options.mjs'
import { median, printTable, runJson, startFleet } from './programs.mjs'

const USAGE = `scale: cost per process and peak memory, by number of processes

  --sizes A,B     idle processes to start, in turn (1000,10000,30000,60000)
  --rounds R      rounds, each source once in each (3)
  --sources A,B   where samples come from (bpf,procfs)
  --json          one JSON object instead of a table`

const contender = fileURLToPath(new URL('contender.mjs', import.meta.url))

export async function run(args) {
  const values = parseOptions(args, USAGE, {
    sizes: '1000,10000,30000,60000',
    rounds: 3,
    sources: 'bpf,procfs',
  })
  if (values === undefined) return
  const sources = values.sources.split(',')
  const results = []
  const failures = []
  for (const size of values.sizes.split(',').map(Number)) {
    const fleet = await startFleet(size)
    try {
      const processes = readdirSync('/proc').filter((name) => name > '0' && name < ':').length
      measure(size, processes)
    } finally {
      await fleet.stop()
    }
  }
  for (const result of results) {
    const base = results.find(({ source, size }) => source === result.source && size === 10_000)
    if (base) {
      result.wallRatio = result.wallUs / base.wallUs
      result.cpuRatio = result.cpuUs / base.cpuUs
    }
  }
  results.sort((a, b) => sources.indexOf(a.source) - sources.indexOf(b.source) || a.size - b.size)
  if (values.json) {
    return console.log(JSON.stringify({ bench: 'scale', rounds: values.rounds, results, failures }))
  }
  console.log(`${values.rounds} rounds; medians of one sample, per process\n`)
  printTable(results, [
    { key: 'source', title: '' },
    { key: 'processes', digits: 0 },
    { key: 'wallMs', title: 'sample ms', digits: 2 },
    { key: 'wallUs', title: 'wall us', digits: 3 },
    { key: 'cpuUs', title: 'cpu us', digits: 3 },
    { key: 'wallRatio', title: 'wall/10,000', digits: 2 },
    { key: 'cpuRatio', title: 'cpu/10,000', digits: 2 },
    { key: 'peakRssMiB', title: 'peak RSS MiB' },
  ])
  for (const { source, size, reason } of failures) console.log(`${source} at ${size} failed: ${reason}`)

  function measure(size, processes) {
    const runs = new Map(sources.map((source) => [source, []]))
    for (let round = 0; round < values.rounds; round++) {
      for (const source of sources) {
        const { output, reason } = runJson([
          process.execPath,
          contender,
          `procmuster-${source}`,
          3,
          source === 'bpf' ? 20 : 5,
          20,
        ])
        if (output) runs.get(source).push(output)
        else if (round === 0) failures.push({ source, size, reason })
      }
    }
    for (const [source, outputs] of runs) {
      if (outputs.length === 0) continue
      const samples = outputs.flatMap((output) => output.samples)
      const wallMs = median(samples.map((sample) => sample.wallMs))
      const cpuMs = median(samples.map((sample) => sample.cpuMs))
      results.push({
        source,
        size,
        processes,
        wallMs,
        cpuMs,
        wallUs: (wallMs * 1000) / processes,
        cpuUs: (cpuMs * 1000) / processes,
        peakRssMiB: Math.max(...outputs.map(({ peakRssMiB }) => peakRssMiB)),
      })
    }
  }
}
