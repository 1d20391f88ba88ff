import type { ClauseValue, ExitCause } from '../journal/records.js'
import { COLUMNS } from '../table/columns.js'
import type { ProcessIdentity } from '../table/identity.js'

const unitOf = new Map<string, string>(COLUMNS.map(({ name, unit }) => [name, unit]))
const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** One line for people, free of control characters: `"node" (pid 12): rssBytes 612.3 MiB > 500 MiB`. */
export function breachMessage(
  name: string,
  identity: ProcessIdentity,
  clauses: readonly ClauseValue[],
): string {
  const parts = clauses.map(
    ({ column, op, threshold, value }) =>
      `${column} ${quantity(column, value)} ${op} ${quantity(column, threshold)}`,
  )
  return `${JSON.stringify(name)} (pid ${identity.pid}): ${parts.join(' and ')}`
}

/** One line for people, free of control characters: `"node" (pid 12), watched by rule "r", ended: exit code 1`. */
export function deathMessage(
  name: string,
  { pid }: ProcessIdentity,
  rule: string,
  exit: ExitCause | undefined,
): string {
  const ended = `${JSON.stringify(name)} (pid ${pid}), watched by rule ${JSON.stringify(rule)}, ended`
  if (exit === undefined) return ended
  const { cpuTimeNs, peakRssBytes, lifetimeMs } = exit
  const life = [
    ...(lifetimeMs === undefined ? [] : [`after ${duration(lifetimeMs)}`]),
    ...(cpuTimeNs === undefined ? [] : [`${round(cpuTimeNs / 1e9)} s of CPU time`]),
    ...(peakRssBytes === undefined ? [] : [`at most ${size(peakRssBytes)} of memory`]),
  ]
  const rest = life.length === 0 ? '' : ` (${life.join(', ')})`
  return `${ended}: ${howItEnded(exit)}${rest}`
}

function howItEnded({ exitCode, signal, coreDumped, oomKilled, sender }: ExitCause): string {
  if (oomKilled) return 'killed by the kernel, which was out of memory'
  if (signal === undefined) return exitCode === undefined ? 'how is not known' : `exit code ${exitCode}`
  const by =
    sender &&
    ` sent by ${sender.name === undefined ? '' : `${JSON.stringify(sender.name)} `}(pid ${sender.pid})`
  return `killed by ${signal}${by ?? ''}${coreDumped ? ', core dumped' : ''}`
}

function duration(ms: number): string {
  if (ms < 1000) return `${round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 60) return `${round(seconds)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`
  const hours = Math.floor(seconds / 3600)
  return hours < 48 ? `${hours} h ${Math.floor((seconds % 3600) / 60)} min` : `${Math.floor(hours / 24)} days`
}

function quantity(column: string, value: number | undefined): string {
  if (value === undefined) return 'unknown'
  if (column === 'state') return String.fromCharCode(value)
  switch (unitOf.get(column)) {
    case 'bytes':
      return size(value)
    case 'bytes/s':
      return `${size(value)}/s`
    case '%':
      return `${round(value)} %`
    case 'ns':
      return `${round(value / 1e9)} s`
    case '1/s':
      return `${round(value)}/s`
    default:
      return String(value)
  }
}

function size(bytes: number): string {
  const power = bytes === 0 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log2(Math.abs(bytes)) / 10))
  return `${round(bytes / 1024 ** Math.max(0, power))} ${SIZES[Math.max(0, power)]}`
}

function round(value: number): number {
  const size = Math.abs(value)
  return Number(size < 0.1 ? value.toPrecision(2) : value.toFixed(size < 10 ? 2 : 1))
}
