// What the main thread feels of an engine: the delay of its event loop while 100 rules are judged over 20,000
// processes every 100 ms.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Engine } from '../dist/index.js'
import { idleRules } from './engine_rules.mjs'
import { delays, startFleet } from './programs.mjs'

const USAGE = `loop: event-loop delay of the main thread under an engine

  --processes N   idle processes to start (20000)
  --rules N       rules (100)
  --interval MS   time between samples (100)
  --seconds S     how long, after 3 s to warm up (20)
  --json          one JSON object instead of a table`

export async function run(args) {
  const { values } = parseArgs({
    args,
    options: {
      processes: { type: 'string', default: '20000' },
      rules: { type: 'string', default: '100' },
      interval: { type: 'string', default: '100' },
      seconds: { type: 'string', default: '20' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(USAGE)
  const fleet = await startFleet(Number(values.processes))
  try {
    const idle = await measure(3)
    const engine = await Engine.start({
      intervalMs: Number(values.interval),
      rules: idleRules(Number(values.rules)),
      sampler: { capacity: Number(values.processes) + 4096 },
    })
    await sleep(3000)
    const before = engine.stats
    const cpu = process.cpuUsage()
    const under = await measure(Number(values.seconds))
    const { user, system } = process.cpuUsage(cpu)
    const stats = engine.stats
    await engine.close()
    const result = {
      bench: 'loop',
      processes: stats.processes,
      rules: Number(values.rules),
      intervalMs: Number(values.interval),
      ticks: stats.ticks - before.ticks,
      missedTicks: stats.missedTicks - before.missedTicks,
      failedTicks: stats.failedTicks,
      sampleMs: stats.sampleMs,
      judgeMs: stats.judgeMs,
      cpuPercent: (user + system) / 1e4 / Number(values.seconds),
      rssMiB: stats.rssBytes / 2 ** 20,
      withoutEngineMs: idle,
      withEngineMs: under,
    }
    if (values.json) return console.log(JSON.stringify(result))
    const line = ({ p50, p99, max }) =>
      `p50 ${p50.toFixed(2)}, p99 ${p99.toFixed(2)}, max ${max.toFixed(2)} ms`
    console.log(`${result.processes} processes, ${result.rules} rules, a sample every ${values.interval} ms`)
    console.log(`event-loop delay without an engine: ${line(idle)}`)
    console.log(`event-loop delay with it:           ${line(under)}`)
    console.log(
      `${result.ticks} ticks, ${result.missedTicks} missed, ${result.failedTicks} failed; last sample ${stats.sampleMs.toFixed(1)} ms, judged in ${stats.judgeMs.toFixed(1)} ms; ${result.cpuPercent.toFixed(0)} % of a core, ${result.rssMiB.toFixed(0)} MiB RSS`,
    )
  } finally {
    await fleet.stop()
  }
}

async function measure(seconds) {
  const loop = monitorEventLoopDelay({ resolution: 1 })
  loop.enable()
  await sleep(seconds * 1000)
  loop.disable()
  return delays(loop)
}
