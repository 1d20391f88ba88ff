import type { SystemStats } from '../../public/system.js'
import { shortAge, shortBytes } from '../quantities.js'
import { bar, type Segment } from './bars.js'
import { fitTo, type Style } from './columns.js'

type Percents = NonNullable<SystemStats['rates']>['cores'][number]['percents']

const NARROWEST_BAR = 18
const NARROWEST_CORE = 9

/** The host: cores, memory, pressure, tasks; at most `rows` lines (3 and more). */
export function headerLines(stats: SystemStats, rows: number, style: Style): string[] {
  return [
    ...coreLines(stats, Math.max(1, rows - 3), style),
    memoryLine(stats, style),
    pressureLine(stats, style),
    tasksLine(stats, style),
  ]
}

/** A bar for each core, in as many lines as there are to have; one for all of them where they have no room. */
function coreLines({ rates, cpu }: SystemStats, lines: number, style: Style): string[] {
  const cores = rates?.cores ?? cpu?.cores.map(({ core }) => ({ core, percents: undefined })) ?? []
  const fits = (narrowest: number) => lines * Math.max(1, Math.floor((style.width + 1) / (narrowest + 1)))
  const narrowest = [NARROWEST_BAR, NARROWEST_CORE].find((width) => cores.length <= fits(width))
  if (narrowest === undefined || cores.length === 0) {
    const busy = rates?.cores.filter(({ percents }) => (percents?.busy ?? 0) >= 50).length
    const text = `${percentText(rates?.cpu)}, ${busy ?? '-'} of ${cores.length} cores busy`
    return [bar('CPU', cpuSegments(rates?.cpu, style), text, style.width)]
  }
  const most = Math.max(1, Math.floor((style.width + 1) / (narrowest + 1)))
  // Evenly: nine cores are better in three lines of three than as eight and one.
  const perLine = Math.ceil(cores.length / Math.ceil(cores.length / most))
  const digits = String(cores.at(-1)!.core).length
  const bars = cores.map(({ core, percents }, at) => {
    const [from, to] = [at % perLine, (at % perLine) + 1].map((edge) => edgeOf(edge, perLine, style.width))
    const text =
      narrowest === NARROWEST_CORE ? percentText(percents).replace(/\.\d/, '') : percentText(percents)
    return bar(String(core).padStart(digits), cpuSegments(percents, style), text, to! - from! - 1)
  })
  return chunks(bars, perLine).map((line) => line.join(' '))
}

/** Where the cell of one of `count` columns begins, a blank between any two. */
const edgeOf = (column: number, count: number, width: number): number =>
  Math.floor((column * (width + 1)) / count)

const chunks = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size))

const percentText = (percents: Percents): string =>
  percents === undefined ? '-' : `${percents.busy.toFixed(1)}%`

function cpuSegments(percents: Percents, { colors }: Style): Segment[] {
  if (percents === undefined) return []
  const { user, nice, system, irq = 0, softirq = 0, steal = 0 } = percents
  return [
    { share: (user + nice) / 100, paint: colors.green },
    { share: (system + irq + softirq) / 100, paint: colors.red },
    { share: steal / 100, paint: colors.magenta },
  ]
}

function memoryLine({ memory }: SystemStats, style: Style): string {
  if (memory === undefined) return fitTo('Mem -', style.width, style)
  const { colors } = style
  const { totalBytes, usedBytes, freeBytes, swapTotalBytes, swapUsedBytes } = memory
  const cached = Math.max(0, totalBytes - usedBytes - freeBytes)
  const bars = [
    (width: number) =>
      bar(
        'Mem',
        [
          { share: usedBytes / totalBytes, paint: colors.green },
          { share: cached / totalBytes, paint: colors.cyan },
        ],
        `${shortBytes(usedBytes)}/${shortBytes(totalBytes)}`,
        width,
      ),
  ]
  if (swapTotalBytes && swapUsedBytes !== undefined) {
    const text = `${shortBytes(swapUsedBytes)}/${shortBytes(swapTotalBytes)}`
    const segments = [{ share: swapUsedBytes / swapTotalBytes, paint: colors.red }]
    bars.push((width) => bar('Swp', segments, text, width))
  }
  return inColumns(bars, style)
}

/** Share of the last ten seconds in which something waited for it. */
function pressureLine(stats: SystemStats, style: Style): string {
  const readings = { cpu: stats.cpuPressure, mem: stats.memoryPressure, io: stats.ioPressure }
  if (Object.values(readings).every((reading) => reading === undefined))
    return fitTo('Pressure: this kernel does not tell (PSI)', style.width, style)
  const bars = Object.entries(readings).map(([name, reading]) => {
    const percent = reading?.some?.avg10
    const segments = percent === undefined ? [] : [{ share: percent / 100, paint: style.colors.red }]
    const text = percent === undefined ? '-' : `${percent.toFixed(1)}%`
    return (width: number) => bar(`PSI ${name}`, segments, text, width)
  })
  return inColumns(bars, style)
}

function inColumns(bars: readonly ((width: number) => string)[], { width }: Style): string {
  const edge = (column: number) => edgeOf(column, bars.length, width)
  return bars.map((draw, at) => draw(edge(at + 1) - edge(at) - 1)).join(' ')
}

const STATES: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'sleeping',
  D: 'uninterruptible',
  Z: 'zombie',
  T: 'stopped',
  t: 'traced',
  I: 'idle',
  X: 'dead',
}

function tasksLine({ processes, load, uptime }: SystemStats, style: Style): string {
  const parts: string[] = []
  if (load !== undefined)
    parts.push(`load ${load.load1.toFixed(2)} ${load.load5.toFixed(2)} ${load.load15.toFixed(2)}`)
  if (uptime !== undefined) parts.push(`up ${shortAge(uptime.uptimeSeconds)}`)
  if (processes !== undefined) {
    const counts = Object.keys(STATES).flatMap((letter) => {
      const count = processes.byState[letter]
      return count === undefined ? [] : [`${count} ${STATES[letter]}`]
    })
    parts.push(`${processes.total} processes: ${counts.join(', ')}`)
  }
  return fitTo(parts.join('  '), style.width, style)
}
