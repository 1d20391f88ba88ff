import type { Command } from 'commander'
import type { FaultList } from '../fault.js'
import { readForDuration } from '../for_option.js'
import { valueOption } from '../value_option.js'
import { readNumber } from '../values.js'

/** As commander hands them over: flags of what samples a process again and again. */
export interface RawTrack {
  interval?: string
  for?: string
  count?: string
  json?: boolean
}

export const addTrackOptions = (command: Command): Command =>
  command
    .addOption(valueOption('-i, --interval <SECONDS>', 'between two samples; 1 unless given'))
    .addOption(valueOption('--for <DURATION>', 'stop after so long, for example 30s; else when it ends'))
    .addOption(valueOption('--count <N>', 'stop after N samples'))

const INTERVAL = { flag: '-i/--interval', wanted: 'seconds from 0.01 to 86400', min: 0.01, max: 86_400 }
const COUNT = {
  flag: '--count',
  wanted: 'how many samples to take, 1 or more',
  min: 1,
  max: Number.MAX_SAFE_INTEGER,
  integer: true,
}

export interface TrackLimits {
  readonly intervalMs: number
  readonly durationMs: number | undefined
  readonly count: number
}

export function readTrackOptions(raw: RawTrack, faults: FaultList): TrackLimits {
  const seconds = raw.interval === undefined ? 1 : readNumber(raw.interval, INTERVAL, faults)
  const count = raw.count === undefined ? Infinity : readNumber(raw.count, COUNT, faults)
  return {
    intervalMs: Math.round((seconds ?? 1) * 1000),
    durationMs: raw.for === undefined ? undefined : readForDuration(raw.for, faults),
    count: count ?? 1,
  }
}
