// A Node process with an engine over many ticks: does its memory stay flat, do its descriptors stay within bounds?
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Engine } from '../dist/index.js'
import { idleRules } from './engine_rules.mjs'
import { parseOptions } from './options.mjs'
import { median, startFleet } from './programs.mjs'

const USAGE = `soak: memory and descriptors of a process with an engine over many ticks

  --processes N   idle processes to start (60000)
  --ticks N       samples, after 20 to warm up (1000)
  --interval MS   time between samples (100)
  --churn N       births and deaths a second (0)
  --rules N       rules (10)
  --source S      bpf, procfs or auto (auto)
  --json          one JSON object instead of text`

export async function run(args) {
  const values = parseOptions(args, USAGE, {
    processes: 60_000,
    ticks: 1000,
    interval: 100,
    churn: 0,
    rules: 10,
    source: 'auto',
  })
  if (values === undefined) return
  const { processes, ticks, interval: intervalMs, churn, rules, source } = values
  const fleet = await startFleet(processes, churn)
  try {
    const result = { bench: 'soak', processes, ticks, intervalMs, churn, rules, source, ...(await soak()) }
    if (values.json) return console.log(JSON.stringify(result))
    console.log(
      `${result.seen} processes, ${ticks} ticks, ${churn} births and deaths a second, ${rules} rules`,
    )
    console.log(
      `RSS: ${result.firstMiB.toFixed(0)} MiB in the first tenth, ${result.lastMiB.toFixed(0)} MiB in the last (medians), ${result.maxMiB.toFixed(0)} MiB at most`,
    )
    console.log(`of the first half's highest, the last half's is ${result.growth.toFixed(3)}`)
    console.log(`descriptors: ${result.maxDescriptors} at most, limit ${result.descriptorLimit}`)
    console.log(
      `${result.missedTicks} ticks missed, ${result.failedTicks} failed; median sample ${result.sampleMs.toFixed(1)} ms; ${result.seconds.toFixed(0)} s`,
    )
  } finally {
    await fleet.stop()
  }

  async function soak() {
    const began = performance.now()
    const engine = await Engine.start({
      intervalMs,
      rules: idleRules(rules),
      sampler: { source, capacity: processes + 4096 },
    })
    const points = []
    let counted = 0
    let descriptors = 0
    await new Promise((resolve, reject) => {
      engine.on('error', reject)
      engine.on('tick', ({ sampleMs }) => {
        counted++
        if (counted > 20) points.push({ rss: process.memoryUsage.rss(), sampleMs })
        // Counting full tables takes a while on the main thread.
        if (counted % 50 === 0) descriptors = Math.max(descriptors, mostDescriptors())
        if (points.length >= ticks) resolve()
      })
    })
    const { processes: seen, missedTicks, failedTicks } = engine.stats
    await engine.close()
    await sleep(0)
    const rss = points.map((point) => point.rss / 2 ** 20)
    const tenth = Math.ceil(rss.length / 10)
    const half = rss.length >> 1
    return {
      seen,
      missedTicks,
      failedTicks,
      sampleMs: median(points.map((point) => point.sampleMs)),
      firstMiB: median(rss.slice(0, tenth)),
      lastMiB: median(rss.slice(-tenth)),
      maxMiB: Math.max(...rss),
      growth: Math.max(...rss.slice(half)) / Math.max(...rss.slice(0, half)),
      maxDescriptors: descriptors,
      descriptorLimit: Number(
        /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))[1],
      ),
      seconds: (performance.now() - began) / 1000,
    }
  }
}

/** Descriptors in the fullest table among this process's threads: scan threads have tables of their own. */
function mostDescriptors() {
  let most = 0
  for (const thread of readdirSync('/proc/self/task')) {
    try {
      most = Math.max(most, readdirSync(`/proc/self/task/${thread}/fd`).length)
    } catch {} // the thread has ended
  }
  return most
}
