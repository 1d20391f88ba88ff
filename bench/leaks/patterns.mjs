// The patterns that the leak analysis is scored on. `growth` is the leak's growth in the hour as a part of the base.
import { observe, sampleTimes, sawtooth } from './noise.mjs'
import { randomFrom } from './random.mjs'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

const wave = (periodMs, phase) => (t) => Math.sin((2 * Math.PI * t) / periodMs + phase)
const saturating = (t, tau) => 1 - Math.exp(-t / tau)

/** Each: (random, base, growth) -> memory in bytes by time. */
const healthy = {
  steady: (_, base) => () => base,
  'warm-up': (random, base) => {
    const size = base * random.scale(0.3, 4)
    const kind = random.pick(['saturating', 'saturating', 'ramp', 'stages', 'logarithmic'])
    const tau = random.scale(0.5 * MINUTE, 8 * MINUTE)
    const stages = Array.from({ length: 6 }, () => random.between(0, 3 * tau)).sort((a, b) => a - b)
    return (t) => {
      if (kind === 'saturating') return base + size * saturating(t, tau)
      if (kind === 'ramp') return base + size * Math.min(1, t / (1.5 * tau))
      if (kind === 'stages') return base + (size * stages.filter((at) => t >= at).length) / stages.length
      return base + (size * Math.log1p(t / (tau / 10))) / 5
    }
  },
  sawtooth: (random, base) => {
    const cycles = sawtooth(random, base * random.scale(0.2, 3), random.scale(15e3, 10 * MINUTE))
    return (t) => base + cycles.at(t)
  },
  'sawtooth, uneven floors': (random, base) => {
    const height = base * random.scale(0.2, 3)
    const cycles = sawtooth(random, height, random.scale(15e3, 10 * MINUTE), { leftovers: [0.02, 0.1] })
    return (t) => base + cycles.at(t)
  },
  'bounded walk': (random, base) => {
    const band = base * random.scale(0.05, 0.4)
    // The time in which it crosses its band.
    const step = band / Math.sqrt(random.scale(4 * MINUTE, 40 * MINUTE) / 5000)
    let level = random.between(0, band)
    let lastMs = 0
    return (t) => {
      level += random.normal() * step * Math.sqrt((t - lastMs) / 5000)
      lastMs = t
      const folded = Math.abs(level) % (2 * band)
      level = folded > band ? 2 * band - folded : folded
      return base + level
    }
  },
  'cache, new keys get rare': (random, base) => {
    const size = base * random.scale(0.3, 5)
    const fillMs = random.between(5 * MINUTE, 40 * MINUTE)
    const keys = random.between(1.05, 2)
    // Of `keys` times as many keys as fit, each asked for at random; full at fillMs.
    const tau = fillMs / -Math.log(1 - 1 / keys)
    return (t) => base + size * Math.min(1, keys * saturating(t, tau))
  },
  'cache, fills evenly': (random, base) => {
    const size = base * random.scale(0.3, 5)
    const fillMs = random.between(5 * MINUTE, 45 * MINUTE)
    return (t) => base + size * Math.min(1, t / fillMs)
  },
  'daily wave': (random, base) => {
    const load = wave(24 * HOUR, random.between(0, 2 * Math.PI))
    const size = base * random.between(0.03, 0.15)
    return (t) => base + size * (1 + load(t))
  },
  'wave of minutes': (random, base) => {
    const load = wave(random.scale(8 * MINUTE, 40 * MINUTE), random.between(0, 2 * Math.PI))
    const size = base * random.between(0.05, 0.4)
    return (t) => base + size * (1 + load(t))
  },
  step: (random, base) => {
    const at = random.between(3 * MINUTE, 57 * MINUTE)
    const size = base * random.scale(0.1, 2)
    const rampMs = random.pick([0, 10e3, 60e3])
    return (t) => base + size * Math.min(1, Math.max(0, (t - at) / (rampMs + 1)))
  },
  'step up and down': (random, base) => {
    const up = random.between(3 * MINUTE, 50 * MINUTE)
    const down = up + random.between(3 * MINUTE, 30 * MINUTE)
    const size = base * random.scale(0.1, 2)
    return (t) => base + (t >= up && t < down ? size : 0)
  },
  spike: (random, base) => {
    const spikes = Array.from({ length: random.pick([1, 2, 3, 5]) }, () => ({
      at: random.between(0, HOUR),
      riseMs: random.scale(5e3, 2 * MINUTE),
      holdMs: random.scale(5e3, 4 * MINUTE),
      size: base * random.scale(0.2, 3),
    }))
    return (t) => {
      let memory = base
      for (const { at, riseMs, holdMs, size } of spikes) {
        if (t >= at && t < at + riseMs + holdMs) memory += size * Math.min(1, (t - at) / riseMs)
      }
      return memory
    }
  },
}

/** Each: (random, base, growth) -> { memoryAt, onsetMs }. */
const leaking = {
  slow: { growths: [0.1, 0.15, 0.3], make: linear },
  fast: { growths: [0.6, 1.5, 5], make: linear },
  stepped: {
    growths: [0.2, 0.5, 2],
    make: (random, base, growth) => {
      const gapMs = random.scale(1 * MINUTE, 8 * MINUTE)
      const steps = []
      for (let at = random.between(0, gapMs); at < HOUR; at += gapMs * random.between(0.6, 1.4)) {
        steps.push({ at, size: random.between(0.5, 1.5) })
      }
      const scale = (base * growth) / steps.reduce((sum, { size }) => sum + size, 0)
      return {
        memoryAt: (t) => base + steps.reduce((sum, { at, size }) => (t >= at ? sum + size * scale : sum), 0),
        onsetMs: steps[0].at,
      }
    },
  },
  late: {
    growths: [0.15, 0.4, 1.5],
    make: (random, base, growth) => {
      const onsetMs = random.between(10 * MINUTE, 38 * MINUTE)
      const perMs = (base * growth) / (HOUR - onsetMs)
      return { memoryAt: (t) => base + Math.max(0, t - onsetMs) * perMs, onsetMs }
    },
  },
  exponential: {
    growths: [0.3, 1, 8],
    make: (random, base, growth) => {
      const doublingMs = random.scale(9 * MINUTE, 30 * MINUTE)
      const scale = (base * growth) / (2 ** (HOUR / doublingMs) - 1)
      return { memoryAt: (t) => base + scale * (2 ** (t / doublingMs) - 1), onsetMs: 0 }
    },
  },
  'under sawtooth': {
    growths: [0.15, 0.3, 1],
    make: (random, base, growth) => {
      const height = base * growth * random.scale(0.25, 5)
      const cycles = sawtooth(random, height, random.scale(15e3, 8 * MINUTE), { partly: 0 })
      const { memoryAt, onsetMs } = linear(random, base, growth)
      return { memoryAt: (t) => memoryAt(t) + cycles.at(t), onsetMs }
    },
  },
  'under sawtooth x10': {
    growths: [0.1, 0.2, 0.4],
    make: (random, base, growth) => {
      const cycles = sawtooth(random, 10 * base * growth, random.scale(15e3, 5 * MINUTE), { partly: 0 })
      const { memoryAt, onsetMs } = linear(random, base, growth)
      return { memoryAt: (t) => memoryAt(t) + cycles.at(t), onsetMs }
    },
  },
  'after warm-up': {
    growths: [0.15, 0.4, 1.5],
    make: (random, base, growth) => {
      const size = base * random.scale(0.3, 1.5)
      const tau = random.scale(0.5 * MINUTE, 5 * MINUTE)
      const { memoryAt, onsetMs } = linear(random, base * (1 + size / base), growth)
      return { memoryAt: (t) => memoryAt(t) - size + size * saturating(t, tau), onsetMs }
    },
  },
}

/** What an hour does not show, or hardly: told apart, not part of the score. */
const hard = {
  'still filling its cache': { leaks: false, make: (_, base) => (t) => base * (1 + t / HOUR) },
  'cache, full for 8 min': {
    leaks: false,
    make: (_, base) => (t) => base * (1 + Math.min(52 * MINUTE, t) / HOUR),
  },
  'wave of hours': {
    leaks: false,
    make: (random, base) => {
      const load = wave(random.between(1.5, 6) * HOUR, random.between(0, 2 * Math.PI))
      return (t) => base * (1 + 0.2 * load(t))
    },
  },
  'daily wave, by half': {
    leaks: false,
    make: (random, base) => {
      const load = wave(24 * HOUR, random.between(0, 2 * Math.PI))
      return (t) => base * (1 + 0.5 * load(t))
    },
  },
  'sawtooth over a step': {
    leaks: false,
    make: (random, base) => {
      const cycles = sawtooth(random, base * random.scale(0.2, 3), random.scale(15e3, 5 * MINUTE))
      const at = random.between(3 * MINUTE, 57 * MINUTE)
      const size = base * random.scale(0.1, 1)
      return (t) => base + cycles.at(t) + (t < at ? 0 : size)
    },
  },
  'sawtooth over a warm-up': {
    leaks: false,
    make: (random, base) => {
      const cycles = sawtooth(random, base * random.scale(0.2, 3), random.scale(15e3, 5 * MINUTE))
      const tau = random.scale(0.5 * MINUTE, 8 * MINUTE)
      const size = base * random.scale(0.1, 1)
      return (t) => base + cycles.at(t) + size * saturating(t, tau)
    },
  },
  'sawtooth of 15 to 40 min': {
    leaks: false,
    make: (random, base) => {
      const cycles = sawtooth(random, base * random.scale(0.2, 3), random.scale(15 * MINUTE, 40 * MINUTE))
      return (t) => base + cycles.at(t)
    },
  },
  'leak of 6 % an hour': { leaks: true, make: (_, base) => (t) => base * (1 + (0.06 * t) / HOUR) },
  'leak of 3 % an hour': { leaks: true, make: (_, base) => (t) => base * (1 + (0.03 * t) / HOUR) },
  'leak since 12 min': {
    leaks: true,
    make: (_, base) => (t) => base * (1 + Math.max(0, t / HOUR - 0.8) * 2.5),
  },
  'leak that slows down': { leaks: true, make: (_, base) => (t) => base * (1 + Math.sqrt(t / HOUR)) },
  'leak, restarted once': {
    leaks: true,
    make: (random, base) => {
      const at = random.between(20 * MINUTE, 40 * MINUTE)
      return (t) => base * (1 + (t < at ? t : t - at) / HOUR)
    },
  },
  'under sawtooth x10, partly collected': {
    leaks: true,
    make: (random, base) => {
      const cycles = sawtooth(random, 2 * base, random.scale(15e3, MINUTE), { partly: 1 })
      return (t) => base * (1 + (0.2 * t) / HOUR) + cycles.at(t)
    },
  },
  'under sawtooth x20': {
    leaks: true,
    make: (random, base) => {
      const cycles = sawtooth(random, 4 * base, random.scale(15e3, 5 * MINUTE), { partly: 0 })
      return (t) => base * (1 + (0.2 * t) / HOUR) + cycles.at(t)
    },
  },
}

function linear(_, base, growth) {
  return { memoryAt: (t) => base * (1 + (growth * t) / HOUR), onsetMs: 0 }
}

/** All cases: a healthy pattern is one case, a leak one per rate. */
export const CASES = [
  ...Object.entries(healthy).map(([pattern, make]) => ({
    pattern,
    leaks: false,
    make: (random, base) => ({ memoryAt: make(random, base), onsetMs: undefined }),
  })),
  ...Object.entries(leaking).flatMap(([pattern, { growths, make }]) =>
    growths.map((growth) => ({
      pattern,
      leaks: true,
      growth,
      make: (random, base) => make(random, base, growth),
    })),
  ),
]

export const HARD_CASES = Object.entries(hard).map(([pattern, { leaks, make }]) => ({
  pattern,
  leaks,
  make: (random, base) => ({ memoryAt: make(random, base), onsetMs: undefined }),
}))

/** Seeds below are for tuning; those that count are from here on, and are never looked at while tuning. */
export const FIRST_SCORING_SEED = 3_000_000

/** One series of a case: an hour at 5 s unless told otherwise. */
export function generate({ pattern, growth = 0, make }, seed, { durationMs = HOUR, intervalMs = 5000 } = {}) {
  const name = [...pattern].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0, 7)
  const random = randomFrom(seed + Math.imul(name, 101) + Math.round(growth * 1000))
  const base = random.scale(6, 2048) * 2 ** 20
  const timesMs = sampleTimes(random, durationMs, intervalMs)
  const { memoryAt, onsetMs } = make(random, base)
  const values = observe(random, timesMs, memoryAt, base, pattern.includes('sawtooth'))
  return { timesMs: Float64Array.from(timesMs), values: Float64Array.from(values), base, onsetMs }
}
