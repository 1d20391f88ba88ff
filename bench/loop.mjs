// What the main thread feels of an engine: the delay of its event loop while 100 rules are judged over 20,000
// processes every 100 ms.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Engine } from '../dist/index.js'
import { idleRules } from './engine_rules.mjs'
import { parseOptions } from './options.mjs'
import { delays, hostCpuMs, startFleet } from './programs.mjs'

const USAGE = `loop: event-loop delay of the main thread under an engine

  --processes N   idle processes to start (20000)
  --rules N       rules (100)
  --interval MS   time between samples (100)
  --seconds S     how long, after 10 s to warm up (20)
  --sources A,B   where samples come from, in turn (bpf,procfs)
  --json          one JSON object instead of a table`

export async function run(args) {
  const values = parseOptions(args, USAGE, {
    processes: 20_000,
    rules: 100,
    interval: 100,
    seconds: 20,
    sources: 'bpf,procfs',
  })
  if (values === undefined) return
  const fleet = await startFleet(values.processes)
  try {
    const results = []
    for (const source of values.sources.split(',')) results.push(await underEngine(source, values))
    if (values.json) return console.log(JSON.stringify({ bench: 'loop', ...values, results }))
    console.log(
      `${values.processes} processes besides those of the host, ${values.rules} rules, a sample every ${values.interval} ms`,
    )
    for (const result of results) print(result)
  } finally {
    await fleet.stop()
  }
}

async function underEngine(source, { processes, rules, interval, seconds }) {
  const withoutEngineMs = await measure(Math.min(seconds, 5))
  let engine
  try {
    engine = await Engine.start({
      intervalMs: interval,
      rules: idleRules(rules),
      sampler: { source, capacity: processes + 4096 },
    })
  } catch (error) {
    return { source, failure: error.message }
  }
  await sleep(10_000) // until V8 has collected what the start left behind: one pause of 9 ms
  const before = engine.stats
  const withEngineMs = await measure(seconds)
  const { stats } = engine
  await engine.close()
  return {
    source,
    ticks: stats.ticks - before.ticks,
    missedTicks: stats.missedTicks - before.missedTicks,
    failedTicks: stats.failedTicks - before.failedTicks,
    sampleMs: stats.sampleMs,
    judgeMs: stats.judgeMs,
    rssMiB: stats.rssBytes / 2 ** 20,
    withoutEngineMs,
    withEngineMs,
  }
}

function print({ source, failure, ticks, missedTicks, failedTicks, sampleMs, judgeMs, ...rest }) {
  if (failure) return console.log(`\n${source}: ${failure}`)
  const line = ({ p50, p99, max, othersPercent }) =>
    `p50 ${p50.toFixed(2)}, p99 ${p99.toFixed(2)}, max ${max.toFixed(2)} ms; others took ${othersPercent.toFixed(0)} % of a core`
  console.log(`
${source}
  event-loop delay without an engine: ${line(rest.withoutEngineMs)}
  event-loop delay with it:           ${line(rest.withEngineMs)}
  ${ticks} ticks, ${missedTicks} missed, ${failedTicks} failed; last sample ${sampleMs.toFixed(1)} ms, judged in ${judgeMs.toFixed(1)} ms
  ${rest.withEngineMs.cpuPercent.toFixed(0)} % of a core, ${rest.rssMiB.toFixed(0)} MiB RSS`)
}

async function measure(seconds) {
  const loop = monitorEventLoopDelay({ resolution: 1 })
  const cpu = process.cpuUsage()
  const host = hostCpuMs()
  const began = performance.now()
  loop.enable()
  await sleep(seconds * 1000)
  loop.disable()
  const wallMs = performance.now() - began
  const { user, system } = process.cpuUsage(cpu)
  const cpuPercent = (user + system) / 10 / wallMs
  // What others take delays the loop as well: the figures mean little when it is much.
  const othersPercent = Math.max(0, ((hostCpuMs() - host) / wallMs) * 100 - cpuPercent)
  return { ...delays(loop), cpuPercent, othersPercent }
}
