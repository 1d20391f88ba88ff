import { truncate } from '../terminal.js'

/** A part of a bar, by its share of the whole, 0 to 1. */
export interface Segment {
  readonly share: number
  readonly paint: (text: string) => string
}

/** `Mem[|||||      3.1G/15.6G]`, `width` cells wide: the text lies over the end of the bar. */
export function bar(label: string, segments: readonly Segment[], text: string, width: number): string {
  const room = Math.max(0, width - label.length - 2)
  const shown = truncate(text, room, '~')
  const cells = '|'.repeat(room - shown.length) + shown
  let line = ''
  let share = 0
  let at = 0
  for (const segment of segments) {
    share += segment.share
    const end = Math.min(room, Math.max(at, Math.round(share * room)))
    if (end > at) line += segment.paint(cells.slice(at, end))
    at = end
  }
  const rest =
    ' '.repeat(Math.max(0, room - shown.length - at)) + cells.slice(Math.max(at, room - shown.length))
  return `${label}[${line}${rest}]`
}

const LEVELS = { blocks: '▁▂▃▄▅▆▇█', ascii: '_.-=#' }

/** One cell for each value, from `low` to `high`; a blank where there is none. */
export function sparkline(values: ArrayLike<number>, low: number, high: number, ascii: boolean): string {
  const levels = ascii ? LEVELS.ascii : LEVELS.blocks
  return Array.from(values, (value) => {
    if (Number.isNaN(value)) return ' '
    const share = high > low ? (value - low) / (high - low) : 0
    return levels[Math.min(levels.length - 1, Math.max(0, Math.floor(share * levels.length)))]
  }).join('')
}

/** Smallest and largest of the values that are known; undefined where none is. */
export function extent(values: Iterable<number>): readonly [low: number, high: number] | undefined {
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (const value of values) {
    if (value < low) low = value
    if (value > high) high = value
  }
  return low > high ? undefined : [low, high]
}
