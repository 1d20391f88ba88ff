import type { Criterion, Findings, GrowthOptions } from './findings.js'
import type { Trend } from './trend.js'

/** What a reason may have to tell besides the findings. */
export interface Judged extends GrowthOptions {
  samples: number
  spanMs: number
  /** A restart was seen, and only what came after it was judged. */
  isRestarted: boolean
}

const lacking: Record<Exclude<Criterion, 'size' | 'span'>, string> = {
  parts: 'not in every part of that time',
  end: 'which has ended',
  jump: 'most of it in one step',
  fade: 'slower and slower, as a warm-up or a filling cache does',
  noise: 'with falls in between that are nearly as large',
  wander: 'after falls that were nearly as large',
  record: 'to levels that were there before',
  cycles: 'through too few cycles',
}

/** The verdict's reason in one line of plain words. */
export function inWords(
  { verdict, cycles }: Trend,
  findings: Findings | undefined,
  judged: Judged,
  leastSamples: number,
): string {
  const since = judged.isRestarted ? ', since a restart after a leak' : ''
  if (judged.samples < leastSamples) {
    return `only ${judged.samples} samples${since}: ${leastSamples} are needed`
  }
  const through = cycles > 1 ? ` through ${cycles} cycles` : ''
  if (findings === undefined) return `the floors did not rise in ${time(judged.spanMs)}${through}${since}`
  const { rise, level, spanMs, weakest } = findings
  const growth = `the floors rose by ${percent(rise / Math.abs(level))} in ${time(spanMs)}${through}`
  if (verdict === 'leak') return `${growth}, all along and to the end${since}`
  if (weakest === 'size') return `${growth}: less than ${percent(judged.minGrowth)}${since}`
  if (weakest === 'span') return `${growth}, which is too short to tell a leak from a warm-up${since}`
  return `${growth}, ${lacking[weakest]}${since}`
}

function percent(part: number): string {
  const value = part * 100
  return Number.isFinite(value) ? `${Number(value.toPrecision(value < 10 ? 2 : 3))} %` : 'any part'
}

function time(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`
  if (ms < 2 * 3_600_000) return `${Math.round(ms / 60_000)} min`
  return `${Math.round(ms / 360_000) / 10} h`
}
