import { type MemoryMap, type MemoryRegion, type MemoryTotals, readMemoryMap } from '../../public/inspect.js'
import { FaultList } from '../fault.js'
import { printTable, type TextColumn } from '../print_table.js'
import { shortBytes } from '../quantities.js'
import { escapeForTerminal } from '../terminal.js'
import { printJson } from './json.js'
import { lookInto, readPid } from './target.js'

/** `muster map` with what the user gave. */
export async function showMap(
  word: string | undefined,
  raw: { all?: boolean; json?: boolean },
): Promise<void> {
  const faults = new FaultList()
  const pid = readPid(word, faults)
  faults.throwIfAny()
  const map = await lookInto(pid!, (target) => readMemoryMap(target))
  if (raw.json === true)
    return printJson({ ...mapToJson(map), ...(raw.all !== true && { regions: undefined }) })
  if (map.size === 0) {
    process.stderr.write(`muster: PID ${pid} has no memory of its own: it is a kernel thread, or has ended\n`)
  }
  if (raw.all === true) return printTable([...map], REGION_COLUMNS)
  const classes = Object.entries(map.totals).filter(([, totals]) => totals.count > 0)
  await printTable([...classes, ['total', map.total] as [string, MemoryTotals]], TOTAL_COLUMNS)
  const { stack } = map
  if (stack === undefined) return
  const { sizeBytes, depthBytes, limitBytes } = stack
  const limit =
    limitBytes === undefined ? '' : `, its limit ${limitBytes === Infinity ? 'none' : shortBytes(limitBytes)}`
  const depth = depthBytes === undefined ? '' : `, in use ${shortBytes(depthBytes)}`
  process.stdout.write(`\nstack of the first thread: ${shortBytes(sizeBytes)}${depth}${limit}\n`)
}

/** Sums and mappings as plain values. */
export const mapToJson = (map: MemoryMap) => ({
  total: map.total,
  totals: map.totals,
  stack: map.stack,
  threadsUnlocated: map.threadsUnlocated,
  regions: [...map],
})

const bytes = (value: number | undefined): string => (value === undefined ? '-' : shortBytes(value))

const bytesColumn = <T>(heading: string, of: (row: T) => number | undefined): TextColumn<T> => ({
  heading,
  align: 'right',
  text: (row) => bytes(of(row)),
})

const sum = (a: number | undefined, b: number | undefined) =>
  a === undefined || b === undefined ? undefined : a + b

const TOTAL_COLUMNS: readonly TextColumn<[string, MemoryTotals]>[] = [
  { heading: 'CLASS', align: 'left', text: ([name]) => name },
  { heading: 'COUNT', align: 'right', text: ([, { count }]) => String(count) },
  bytesColumn('SIZE', ([, totals]) => totals.sizeBytes),
  bytesColumn('RSS', ([, totals]) => totals.rssBytes),
  bytesColumn('PSS', ([, totals]) => totals.pssBytes),
  bytesColumn('SHARED', ([, totals]) => sum(totals.sharedCleanBytes, totals.sharedDirtyBytes)),
  bytesColumn('PRIVATE', ([, totals]) => sum(totals.privateCleanBytes, totals.privateDirtyBytes)),
  bytesColumn('SWAP', ([, totals]) => totals.swapBytes),
]

const address = (value: number): string => BigInt(value).toString(16).padStart(12, '0')

const REGION_COLUMNS: readonly TextColumn<MemoryRegion>[] = [
  { heading: 'ADDRESS', align: 'left', text: ({ start, end }) => `${address(start)}-${address(end)}` },
  { heading: 'PERM', align: 'left', text: ({ permissions }) => permissions },
  bytesColumn('SIZE', ({ sizeBytes }) => sizeBytes),
  bytesColumn('RSS', ({ rssBytes }) => rssBytes),
  bytesColumn('PSS', ({ pssBytes }) => pssBytes),
  bytesColumn('SWAP', ({ swapBytes }) => swapBytes),
  { heading: 'CLASS', align: 'left', text: (region) => region.class + (region.isCertain ? '' : '?') },
  {
    heading: 'NAME',
    align: 'left',
    text: ({ name, tid }) => escapeForTerminal(name) || (tid ? `thread ${tid}` : ''),
  },
]
