// Scores one case of patterns.mjs: what the hour as a whole is called, and when a look every minute first calls it a
// leak.
import { analyzeTrend, TrendTracker } from '../../dist/index.js'
import { median } from '../programs.mjs'
import { generate } from './patterns.mjs'

const MINUTE = 60_000

/** @returns counts over the seeds from `firstSeed` on; delays in ms since the leak's onset */
export function scoreCase(scored, { firstSeed, seeds, options }) {
  const verdicts = { leak: 0, steady: 0, unsure: 0 }
  const delays = []
  let alarms = 0
  let thinnedOther = 0
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const series = generate(scored, seed)
    const { verdict } = analyzeTrend({ ...series, ...options })
    verdicts[verdict]++
    const watched = watch(series, options)
    if (watched.verdict !== verdict) thinnedOther++
    const onsetMs = series.onsetMs ?? 0
    // A leak that is called one before it began is a false alarm, and no detection.
    if (watched.alarmMs !== undefined && (!scored.leaks || watched.alarmMs >= onsetMs)) alarms++
    if (scored.leaks) delays.push((watched.alarmMs ?? Number.POSITIVE_INFINITY) - onsetMs)
  }
  return {
    pattern: scored.pattern,
    growth: scored.growth,
    leaks: scored.leaks,
    seeds,
    calledLeak: verdicts.leak / seeds,
    calledUnsure: verdicts.unsure / seeds,
    /** Called a leak at any look of the hour. */
    everCalledLeak: alarms / seeds,
    medianDelayMs: scored.leaks ? median(delays) : undefined,
    p90DelayMs: scored.leaks ? delays.sort((a, b) => a - b)[Math.floor(seeds * 0.9)] : undefined,
    thinnedOther: thinnedOther / seeds,
  }
}

/** Feeds a series to a tracker, sample by sample, and looks every minute. */
function watch({ timesMs, values }, options) {
  const tracker = new TrendTracker({ capacity: 1 })
  let alarmMs
  let lookMs = 2 * MINUTE
  for (let i = 0; i < timesMs.length; i++) {
    tracker.add(0, timesMs[i], values[i])
    if (timesMs[i] < lookMs || alarmMs !== undefined) continue
    lookMs += MINUTE
    if (tracker.analyze(0, options).verdict === 'leak') alarmMs = timesMs[i]
  }
  return { alarmMs, verdict: tracker.analyze(0, options).verdict }
}

/**
 * Times of single analyses of series of 720 samples, in us, of all cases in turn: CPU time of the whole process,
 * which other programs disturb little, and wall time, which they do. And CPU time of one sample taken in by a
 * tracker, in ns.
 */
export function timeAnalyses(cases, firstSeed) {
  const series = cases.flatMap((scored) =>
    Array.from({ length: 4 }, (_, seed) => generate(scored, firstSeed + seed)),
  )
  const times = []
  let cpu
  // The first rounds compile.
  for (let round = 0; round < 20; round++) {
    if (round === 10) cpu = process.cpuUsage()
    for (const input of series) {
      const began = performance.now()
      analyzeTrend(input)
      if (round >= 10) times.push((performance.now() - began) * 1000)
    }
  }
  const { user, system } = process.cpuUsage(cpu)
  const cpuUs = (user + system) / times.length
  times.sort((a, b) => a - b)
  const at = (part) => times[Math.floor(times.length * part)]
  return { samples: 720, cpuUs, medianUs: at(0.5), p99Us: at(0.99), addNs: timeAdd() }
}

function timeAdd() {
  const SERIES = 10_000
  const ROUNDS = 300
  const tracker = new TrendTracker({ capacity: SERIES })
  const cpu = process.cpuUsage()
  for (let round = 0; round < ROUNDS; round++) {
    for (let slot = 0; slot < SERIES; slot++) tracker.add(slot, round * 5000, 1e8 + ((slot * round) % 977))
  }
  const { user, system } = process.cpuUsage(cpu)
  return ((user + system) * 1000) / (SERIES * ROUNDS)
}
