import type { CpuPercents, SystemStats } from '../../public/system.js'
import { STATES } from '../inspect/states.js'
import { printTable, type TextColumn } from '../print_table.js'
import { clockTime, localDate, shortAge, shortBytes } from '../quantities.js'
import { escapeForTerminal, widthOf } from '../terminal.js'
import { hanging } from '../wrap.js'
import type { Section } from './sections.js'

/** One section for people; what is not known is `-`. */
export async function printSection(section: Section, stats: SystemStats): Promise<void> {
  return PRINTERS[section](stats)
}

type Value = number | undefined

const cell = (value: Value, text: (value: number) => string): string =>
  value === undefined || Number.isNaN(value) ? '-' : text(value)
const percent = (value: Value): string => cell(value, (each) => each.toFixed(1))
const rate = (value: Value): string => cell(value, (each) => each.toFixed(each < 10 ? 1 : 0))
const bytes = (value: Value): string => cell(value, shortBytes)
const plain = (value: Value): string =>
  cell(value, (each) => (each === Number.POSITIVE_INFINITY ? 'unlimited' : String(each)))

/** Lines of a label and its text; where all of a section is missing, its label and `-`. */
function printFacts(facts: readonly (readonly [label: string, text: string])[]): void {
  const labelWidth = Math.max(...facts.map(([label]) => label.length))
  const lines = facts.flatMap(([label, text]) =>
    hanging(`${label.padEnd(labelWidth)}  `, escapeForTerminal(text), widthOf(process.stdout)),
  )
  process.stdout.write(`${lines.join('\n')}\n`)
}

function right<T>(heading: string, text: (row: T) => string): TextColumn<T> {
  return { heading, align: 'right', text }
}

/** Left out where the terminal is too narrow for all. */
const extra = <T>(column: TextColumn<T>): TextColumn<T> => ({ ...column, isExtra: true })

function left<T>(heading: string, text: (row: T) => string): TextColumn<T> {
  return { heading, align: 'left', text: (row) => escapeForTerminal(text(row)) }
}

interface CpuRow {
  readonly name: string
  readonly percents: CpuPercents | undefined
}

const CPU_COLUMNS: readonly TextColumn<CpuRow>[] = [
  left('CPU', ({ name }) => name),
  ...(['busy', 'user', 'nice', 'system', 'iowait', 'irq', 'softirq', 'steal', 'guest', 'idle'] as const).map(
    (kind) => {
      const column = right<CpuRow>(`%${kind.toUpperCase()}`, ({ percents }) => percent(percents?.[kind]))
      return ['nice', 'irq', 'softirq', 'guest'].includes(kind) ? extra(column) : column
    },
  ),
]

function printCpu({ cpu, cpuInfo, uptime, rates }: SystemStats): Promise<void> {
  const { model, threads, cores, sockets } = cpuInfo ?? {}
  const bootedAtMs = cpu?.bootedAtMs
  printFacts([
    [
      'processor',
      `${model ?? '-'}, ${plain(threads)} threads, ${plain(cores)} cores, ${plain(sockets)} sockets`,
    ],
    ['booted', cell(bootedAtMs, (at) => `${localDate(at)} ${clockTime(at).slice(0, 8)}`)],
    ['up for', cell(uptime?.uptimeSeconds, shortAge)],
    ['switches', `${rate(rates?.contextSwitchesPerSecond)} contexts per second`],
    [
      'interrupts',
      `${rate(rates?.interruptsPerSecond)} hard, ${rate(rates?.softirqsPerSecond)} soft per second`,
    ],
  ])
  return printTable([{ name: 'all', percents: rates?.cpu }], CPU_COLUMNS)
}

const printCores = ({ rates }: SystemStats): Promise<void> =>
  printTable(
    (rates?.cores ?? []).map(({ core, percents }) => ({ name: String(core), percents })),
    CPU_COLUMNS,
  )

interface MemoryRow {
  readonly kind: string
  readonly sizes: readonly Value[]
}

function printMemory({ memory }: SystemStats): Promise<void> {
  const { totalBytes, usedBytes, availableBytes, freeBytes, cachedBytes, buffersBytes, sharedBytes } =
    memory ?? {}
  const rows: MemoryRow[] = [
    {
      kind: 'memory',
      sizes: [totalBytes, usedBytes, availableBytes, freeBytes, cachedBytes, buffersBytes, sharedBytes],
    },
    {
      kind: 'swap',
      sizes: [memory?.swapTotalBytes, memory?.swapUsedBytes, undefined, memory?.swapFreeBytes],
    },
  ]
  const headings = ['TOTAL', 'USED', 'AVAILABLE', 'FREE', 'CACHED', 'BUFFERS', 'SHARED']
  return printTable(rows, [
    left('', ({ kind }) => kind),
    ...headings.map((heading, index) => right<MemoryRow>(heading, ({ sizes }) => bytes(sizes[index]))),
  ])
}

function printLoad({ load }: SystemStats): void {
  const two = (value: Value): string => cell(value, (each) => each.toFixed(2))
  printFacts([
    ['load', `${two(load?.load1)} over 1 minute, ${two(load?.load5)} over 5, ${two(load?.load15)} over 15`],
    ['threads', `${plain(load?.tasks)}, ${plain(load?.runnable)} of them run or are ready to`],
  ])
}

function printProcesses({ processes, cpu, rates }: SystemStats): void {
  const states = Object.entries(processes?.byState ?? {}).sort(([, a], [, b]) => b - a)
  printFacts([
    ['processes', plain(processes?.total)],
    ...states.map(([letter, count]): [string, string] => [
      `  ${letter}`,
      `${count}, ${STATES[letter] ?? '-'}`,
    ]),
    ['wait for I/O', plain(cpu?.blocked)],
    ['made', `${rate(rates?.forksPerSecond)} processes and threads per second`],
  ])
}

interface PressureRow {
  readonly of: string
  readonly kind: 'some' | 'full'
  readonly percents: readonly Value[]
}

function printPressure(stats: SystemStats): Promise<void> {
  const resources = [
    ['cpu', stats.cpuPressure],
    ['memory', stats.memoryPressure],
    ['io', stats.ioPressure],
  ] as const
  const rows = resources.flatMap(([of, reading]) =>
    (['some', 'full'] as const).map((kind): PressureRow => {
      const line = reading?.[kind]
      return { of, kind, percents: [stats.rates?.pressure[of][kind], line?.avg10, line?.avg60, line?.avg300] }
    }),
  )
  return printTable(rows, [
    left('PRESSURE', ({ of }) => of),
    left('WAITED', ({ kind }) => kind),
    ...['%NOW', '%10S', '%60S', '%300S'].map((heading, index) =>
      right<PressureRow>(heading, ({ percents }) => percent(percents[index])),
    ),
  ])
}

const printDisks = ({ rates }: SystemStats): Promise<void> =>
  printTable(rates?.disks ?? [], [
    left('DISK', ({ name }) => name),
    right('READ/S', ({ readsPerSecond }) => rate(readsPerSecond)),
    right('READ-BYTES/S', ({ readBytesPerSecond }) => bytes(readBytesPerSecond)),
    extra(right('READ-MS', ({ readAwaitMs }) => rate(readAwaitMs))),
    right('WRITE/S', ({ writesPerSecond }) => rate(writesPerSecond)),
    right('WRITE-BYTES/S', ({ writtenBytesPerSecond }) => bytes(writtenBytesPerSecond)),
    extra(right('WRITE-MS', ({ writeAwaitMs }) => rate(writeAwaitMs))),
    extra(right('QUEUE', ({ queueLength }) => rate(queueLength))),
    right('%BUSY', ({ busyPercent }) => percent(busyPercent)),
  ])

const printNetwork = ({ rates }: SystemStats): Promise<void> =>
  printTable(rates?.network ?? [], [
    left('INTERFACE', ({ name }) => name),
    right('IN-B/S', ({ received }) => bytes(received.bytesPerSecond)),
    right('IN-PKTS', ({ received }) => rate(received.packetsPerSecond)),
    extra(right('IN-ERRS', ({ received }) => rate(received.errorsPerSecond))),
    extra(right('IN-DROPS', ({ received }) => rate(received.dropsPerSecond))),
    right('OUT-B/S', ({ sent }) => bytes(sent.bytesPerSecond)),
    right('OUT-PKTS', ({ sent }) => rate(sent.packetsPerSecond)),
    extra(right('OUT-ERRS', ({ sent }) => rate(sent.errorsPerSecond))),
    extra(right('OUT-DROPS', ({ sent }) => rate(sent.dropsPerSecond))),
  ])

function printInterrupts({ interrupts = [], softirqs = [], rates }: SystemStats): Promise<void> {
  const rows = [
    ...interrupts.map((each) => ({ ...each, perSecond: rates?.interruptPerSecond[each.name] })),
    ...softirqs.map((each) => ({
      ...each,
      description: 'soft',
      perSecond: rates?.softirqPerSecond[each.name],
    })),
  ]
  return printTable(rows, [
    left('INTERRUPT', ({ name }) => name),
    right('TOTAL', ({ total }) => String(total)),
    right('PER-SECOND', ({ perSecond }) => rate(perSecond)),
    left('WHAT', ({ description }) => description || '-'),
  ])
}

const printVmstat = ({ vmstat = {}, rates }: SystemStats): Promise<void> =>
  printTable(Object.entries(vmstat), [
    left('COUNTER', ([name]) => name),
    right('VALUE', ([, value]) => String(value)),
    right('PER-SECOND', ([name]) => rate(rates?.vmstatPerSecond[name])),
  ])

function printKernel({ version, fileHandles, entropyBits, filesystems, devices }: SystemStats): void {
  const drivers = (list: readonly { readonly major: number; readonly name: string }[] | undefined): string =>
    list?.map(({ major, name }) => `${major} ${name}`).join(', ') ?? '-'
  printFacts([
    ['kernel', version ?? '-'],
    ['open files', `${plain(fileHandles?.allocated)} of ${plain(fileHandles?.limit)}`],
    ['entropy', cell(entropyBits, (bits) => `${bits} bits`)],
    ['file systems', filesystems?.map(({ name }) => name).join(', ') ?? '-'],
    ['character devices', drivers(devices?.character)],
    ['block devices', drivers(devices?.block)],
  ])
}

const PRINTERS: Readonly<Record<Section, (stats: SystemStats) => void | Promise<void>>> = {
  cpu: printCpu,
  cores: printCores,
  memory: printMemory,
  load: printLoad,
  processes: printProcesses,
  pressure: printPressure,
  disks: printDisks,
  network: printNetwork,
  interrupts: printInterrupts,
  vmstat: printVmstat,
  kernel: printKernel,
}
