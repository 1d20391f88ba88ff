// Small series for the tests; the patterns that the analysis is scored on are in bench/leaks.
export interface Series {
  timesMs: number[]
  values: number[]
}

export const MINUTE = 60_000
const MIB = 2 ** 20

/** Noise that is the same in every run: xorshift over the seed. */
function noiseOf(seed: number): () => number {
  let state = seed * 2654435761 + 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32 - 0.5
  }
}

/**
 * An hour at 5 s unless told otherwise, of a base of 100 MiB with noise of ±0.5 %; `memoryAt` in MiB over the base by
 * minute.
 */
export function hourOf(memoryAt: (minute: number) => number, { minutes = 60, seed = 1 } = {}): Series {
  const noise = noiseOf(seed)
  const timesMs = Array.from({ length: minutes * 12 }, (_, i) => i * 5000)
  return { timesMs, values: timesMs.map((t) => Math.round((100 + memoryAt(t / MINUTE) + noise()) * MIB)) }
}

export const courses = {
  leak: (minute: number) => minute,
  exponential: (minute: number) => 2 ** (minute / 10),
  stepped: (minute: number) => 4 * Math.floor(minute / 4),
  late: (minute: number) => Math.max(0, minute - 30),
  afterWarmUp: (minute: number) => 40 * (1 - Math.exp(-minute / 3)) + minute / 2,
  underSawtooth: (minute: number) => minute / 3 + 200 * ((minute / 1.37) % 1),
  steady: () => 0,
  warmUp: (minute: number) => 80 * (1 - Math.exp(-minute / 4)),
  sawtooth: (minute: number) => 80 * ((minute / 1.37) % 1),
  longSawtooth: (minute: number) => 80 * ((minute / 8.3) % 1),
  cache: (minute: number) => 2 * Math.min(minute, 40),
  wave: (minute: number) => 20 * Math.sin(minute / 4),
  step: (minute: number) => (minute < 25 ? 0 : 40),
  stepAndBack: (minute: number) => (minute < 20 || minute > 35 ? 0 : 40),
  spike: (minute: number) => (minute < 55 || minute > 57 ? 0 : 300),
} as const
export type Course = keyof typeof courses
export const LEAKS: readonly Course[] = [
  'leak',
  'exponential',
  'stepped',
  'late',
  'afterWarmUp',
  'underSawtooth',
]
export const HEALTHY = (Object.keys(courses) as Course[]).filter((course) => !LEAKS.includes(course))
