// From the end of a sample to the decision of a rule that it satisfies, as a listener of the engine hears it.
import { setTimeout as sleep } from 'node:timers/promises'
import { Engine } from '../dist/index.js'
import { idleRules } from './engine_rules.mjs'
import { parseOptions } from './options.mjs'
import { hostCpuMs, median, printTable, startFleet } from './programs.mjs'

const USAGE = `decide: time from the end of a sample to a rule's decision

  --processes N   idle processes to start (10000)
  --rules N       rules; one in ten fires for every process that is born (100)
  --ticks N       ticks with decisions that are measured, after 10 to warm up (100)
  --interval MS   time between samples (200)
  --churn N       births and deaths a second (20)
  --sources A,B   where samples come from, in turn (bpf,procfs)
  --json          one JSON object instead of a table`

const BAR_MS = 5
const WARM_UP_TICKS = 10
/** Of so many ticks at least one has to have a decision. */
const TRIES = 5
/** Younger ones are those that churn; the fleet has to be older when the measuring begins. */
const YOUNG_SECONDS = 2

export async function run(args) {
  const values = parseOptions(args, USAGE, {
    processes: 10_000,
    rules: 100,
    ticks: 100,
    interval: 200,
    churn: 20,
    sources: 'bpf,procfs',
  })
  if (values === undefined) return
  const fleet = await startFleet(values.processes, values.churn)
  const results = []
  try {
    await sleep((YOUNG_SECONDS + 1) * 1000)
    for (const source of values.sources.split(',')) results.push(await underEngine(source, values))
  } finally {
    await fleet.stop()
  }
  if (values.json) return console.log(JSON.stringify({ bench: 'decide', barMs: BAR_MS, ...values, results }))
  console.log(
    `${values.processes} processes besides those of the host, ${values.rules} rules, a sample every ${values.interval} ms; from the end of a sample to the first and the last of its decisions, bar ${BAR_MS} ms at the median\n`,
  )
  printTable(
    results.filter(({ failure }) => failure === undefined),
    [
      { key: 'source', title: 'sampled by' },
      { key: 'decisions', digits: 0 },
      { key: 'firstMs', title: 'first, median ms', digits: 2 },
      { key: 'fastestMs', title: 'fastest', digits: 2 },
      { key: 'lastMs', title: 'last, median ms', digits: 2 },
      { key: 'p99Ms', title: 'last, p99', digits: 2 },
      { key: 'maxMs', title: 'last, max', digits: 2 },
      { key: 'sampleMs', title: 'sample, median ms', digits: 2 },
      { key: 'othersPercent', title: 'others took % of a core', digits: 0 },
    ],
  )
  for (const { source, failure } of results) if (failure) console.log(`${source} failed: ${failure}`)
}

async function underEngine(source, { processes, rules, ticks, interval }) {
  let engine
  try {
    engine = await Engine.start({
      intervalMs: interval,
      rules: mixedRules(rules),
      sampler: { source, capacity: processes + 4096 },
    })
  } catch (error) {
    return { source, failure: error.message }
  }
  try {
    return { source, ...(await measure(engine, ticks)) }
  } finally {
    await engine.close()
  }
}

const mixedRules = (count) =>
  idleRules(count).map((rule, i) =>
    i % 10 === 0
      ? { ...rule, match: { name: String.raw`/^f\d+\.\d+$/` }, when: `ageSeconds < ${YOUNG_SECONDS}` }
      : rule,
  )

async function measure(engine, ticks) {
  const seen = []
  let told = []
  engine.on('alert', ({ state }) => {
    if (state === 'firing') told.push(performance.now())
  })
  const host = hostCpuMs()
  const cpu = process.cpuUsage()
  const beganAt = performance.now()
  await new Promise((resolve) => {
    engine.on('tick', ({ tick, sampleMs, totalMs }) => {
      // The event comes at the end of the tick, so that this is the time at which the sample was complete.
      const sampledAt = performance.now() - (totalMs - sampleMs)
      if (tick > WARM_UP_TICKS && told.length > 0) {
        seen.push({
          sampleMs,
          count: told.length,
          firstMs: told[0] - sampledAt,
          lastMs: told.at(-1) - sampledAt,
        })
      }
      told = []
      if (seen.length >= ticks || tick >= WARM_UP_TICKS + ticks * TRIES) resolve()
    })
  })
  const wallMs = performance.now() - beganAt
  const { user, system } = process.cpuUsage(cpu)
  const last = seen.map(({ lastMs }) => lastMs).sort((a, b) => a - b)
  return {
    ticks: seen.length,
    decisions: seen.reduce((sum, { count }) => sum + count, 0),
    firstMs: median(seen.map(({ firstMs }) => firstMs)),
    fastestMs: Math.min(...seen.map(({ firstMs }) => firstMs)),
    lastMs: median(last),
    p99Ms: last[Math.ceil(last.length * 0.99) - 1],
    maxMs: last.at(-1),
    sampleMs: median(seen.map(({ sampleMs }) => sampleMs)),
    othersPercent: Math.max(0, ((hostCpuMs() - host) / wallMs) * 100 - (user + system) / 10 / wallMs),
  }
}
