// What lies over every pattern: how the RSS of a real process differs from the memory that its program needs.
const KIB = 1024
const PAGE = 4 * KIB

/** Times of samples: every `intervalMs`, a little late, sometimes a tick missed or the sampler held up for long. */
export function sampleTimes(random, durationMs, intervalMs) {
  const times = []
  const stallAt = random.chance(0.3) ? random.unit() * durationMs : Number.POSITIVE_INFINITY
  const stallMs = random.between(15_000, 90_000)
  const missed = random.pick([0, 0, 0.002, 0.01])
  for (let at = 0; at < durationMs; at += intervalMs) {
    if (at > stallAt && at < stallAt + stallMs) continue
    if (random.chance(missed)) continue
    times.push(Math.round(at + random.exponential(intervalMs * 0.004)))
  }
  return times
}

/**
 * The noise of one process, as a function of the sample: white jitter of the allocator, slow wander of what is in
 * use, bursts of requests, the kernel's approximate counters, and a small collector's sawtooth in every other process
 * that has no large one: no process has two collectors.
 */
function noiseOf(random, base, hasCollector) {
  const white = base * random.scale(0.0002, 0.004)
  const wander = base * random.scale(0.0005, 0.008)
  const wanderMs = random.scale(20e3, 200e3)
  const burstsPerMs = random.pick([0, 0.2, 1]) / 60e3
  const burstSize = base * random.scale(0.01, 0.08)
  const jitter =
    random.chance(0.5) && !hasCollector
      ? sawtooth(random, base * random.scale(0.005, 0.06), random.scale(10e3, 90e3))
      : { at: () => 0 }
  const counter = random.scale(4, 96) * PAGE
  let level = random.normal() * wander
  let burst = 0
  let burstEndMs = 0
  let lastMs = 0
  return (atMs) => {
    const stepMs = atMs - lastMs
    lastMs = atMs
    const keep = Math.exp(-stepMs / wanderMs)
    level = level * keep + random.normal() * wander * Math.sqrt(1 - keep * keep)
    if (random.chance(burstsPerMs * stepMs)) {
      burst = random.exponential(burstSize)
      burstEndMs = atMs + random.between(4e3, 30e3)
    }
    const inBurst = atMs < burstEndMs ? burst : 0
    return level + inBurst + jitter.at(atMs) + random.normal() * white + random.between(-0.5, 0.5) * counter
  }
}

/**
 * A garbage collector's cycles over the live memory: up from the floor, then down at once. Neither the cycles'
 * lengths, nor their heights, nor what a collection leaves behind are the same each time; some collectors clear only
 * a part in most of their cycles.
 */
export function sawtooth(random, height, periodMs, { leftovers = [0.002, 0.02], partly = 0.4 } = {}) {
  const lengthSpread = random.between(0.05, 0.35)
  const heightSpread = random.between(0, 0.25)
  const leftover = random.scale(...leftovers) * height
  const isConcave = random.chance(0.3)
  // Collections of a part only are the frequent ones.
  const partial = random.chance(partly) && periodMs < 60e3 ? random.between(0.2, 0.5) : 0
  let startMs = -random.unit() * periodMs
  let from = 0
  let cycle
  const next = () => {
    const lengthMs = periodMs * Math.max(0.2, 1 + lengthSpread * random.normal())
    const top = height * Math.max(0.3, 1 + heightSpread * random.normal())
    cycle = { lengthMs, top, from }
  }
  next()
  return {
    at(atMs) {
      while (atMs - startMs >= cycle.lengthMs) {
        startMs += cycle.lengthMs
        from = Math.abs(random.normal()) * leftover
        if (random.chance(partial)) from += height * random.between(0.1, 0.5)
        next()
      }
      const part = (atMs - startMs) / cycle.lengthMs
      return cycle.from + Math.max(0, cycle.top - cycle.from) * (isConcave ? part * (2 - part) : part)
    },
  }
}

/** The kernel counts whole pages, and a process has at least its program. A sample can be missing. */
export function observe(random, timesMs, memoryAt, base, hasCollector) {
  const noise = noiseOf(random, base, hasCollector)
  const missing = random.pick([0, 0, 0.005, 0.02])
  return timesMs.map((atMs) => {
    const bytes = Math.max(memoryAt(atMs) + noise(atMs), 256 * KIB)
    return random.chance(missing) ? Number.NaN : Math.round(bytes / PAGE) * PAGE
  })
}
