import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkOptions, listOf, PATH, TABLE, TEXT } from '../../arguments.js'
import { codeOfErrno, type ErrorCode, errnoName, errnoOf, ProcmusterError } from '../../errors.js'
import type { Table } from '../../table/table.js'
import { type CpuReading, parseStat } from './cpu.js'
import { type CpuInfo, parseCpuInfo } from './cpu_info.js'
import { type DiskReading, parseDiskstats } from './disks.js'
import { type InterruptReading, parseInterrupts } from './interrupts.js'
import {
  type DevicesReading,
  type FileHandles,
  type FilesystemType,
  parseDevices,
  parseFileNr,
  parseFilesystems,
  parseLine,
  parseNumber,
  parseVmstat,
} from './kernel.js'
import {
  type LoadReading,
  type PressureReading,
  parseLoad,
  parsePressureLines,
  parseUptimes,
  type UptimeReading,
} from './load.js'
import { type MemoryReading, parseMemory } from './memory.js'
import { type NetworkReading, parseNetDev } from './network.js'

/** What the files below `/proc` say of the host; a section is undefined when its file is in `missing`, or was not asked for. */
export interface SystemSections {
  readonly cpu?: CpuReading | undefined
  readonly memory?: MemoryReading | undefined
  readonly load?: LoadReading | undefined
  readonly uptime?: UptimeReading | undefined
  /** `/proc/version`. */
  readonly version?: string | undefined
  readonly vmstat?: Readonly<Record<string, number>> | undefined
  readonly filesystems?: readonly FilesystemType[] | undefined
  readonly devices?: DevicesReading | undefined
  readonly interrupts?: readonly InterruptReading[] | undefined
  readonly softirqs?: readonly InterruptReading[] | undefined
  readonly disks?: readonly DiskReading[] | undefined
  readonly network?: readonly NetworkReading[] | undefined
  readonly cpuPressure?: PressureReading | undefined
  readonly memoryPressure?: PressureReading | undefined
  readonly ioPressure?: PressureReading | undefined
  /** Costs an interrupt of every core on some machines, to measure its frequency. */
  readonly cpuInfo?: CpuInfo | undefined
  readonly fileHandles?: FileHandles | undefined
  readonly entropyBits?: number | undefined
}
/** Each is a file below `/proc`, and can be missing for itself. */
export type SystemSection = keyof SystemSections

/** A file that could not be read or understood. */
export interface MissingFile {
  readonly section: SystemSection
  readonly path: string
  readonly code: ErrorCode
  readonly reason: string
}

/** Processes of a table. */
export interface ProcessCounts {
  readonly total: number
  /** By state letter: R running, S sleeping, D uninterruptible, T stopped, t traced, Z zombie, I idle, X dead. */
  readonly byState: Readonly<Record<string, number>>
}

/** The host at one moment. */
export interface SystemReading extends SystemSections {
  /** Epoch milliseconds. */
  readonly atMs: number
  /** Of this process's monotonic clock, to tell how long lies between two readings. */
  readonly monotonicMs: number
  /** Only with a table. */
  readonly processes?: ProcessCounts | undefined
  readonly missing: readonly MissingFile[]
}

/** Options of `readSystem`. */
export interface SystemOptions {
  /** Where proc is mounted; `/proc` by default. */
  readonly procRoot?: string
  /** All by default. */
  readonly sections?: readonly SystemSection[]
  /** A sample whose processes are counted by state. */
  readonly table?: Table
}

interface SectionFile<S extends SystemSection> {
  readonly path: string
  readonly parse: (text: string) => SystemSections[S]
}

const FILES: { readonly [S in SystemSection]-?: SectionFile<S> } = {
  cpu: { path: 'stat', parse: parseStat },
  memory: { path: 'meminfo', parse: parseMemory },
  load: { path: 'loadavg', parse: parseLoad },
  uptime: { path: 'uptime', parse: parseUptimes },
  version: { path: 'version', parse: parseLine },
  vmstat: { path: 'vmstat', parse: parseVmstat },
  filesystems: { path: 'filesystems', parse: parseFilesystems },
  devices: { path: 'devices', parse: parseDevices },
  interrupts: { path: 'interrupts', parse: parseInterrupts },
  softirqs: { path: 'softirqs', parse: parseInterrupts },
  disks: { path: 'diskstats', parse: parseDiskstats },
  network: { path: 'net/dev', parse: parseNetDev },
  cpuPressure: { path: 'pressure/cpu', parse: parsePressureLines },
  memoryPressure: { path: 'pressure/memory', parse: parsePressureLines },
  ioPressure: { path: 'pressure/io', parse: parsePressureLines },
  cpuInfo: { path: 'cpuinfo', parse: parseCpuInfo },
  fileHandles: { path: 'sys/fs/file-nr', parse: parseFileNr },
  entropyBits: { path: 'sys/kernel/random/entropy_avail', parse: parseNumber },
}

/** All that `readSystem` reads unless told otherwise. */
export const SYSTEM_SECTIONS = Object.keys(FILES) as SystemSection[]

/**
 * Reads what the kernel says of the host as a whole. Files that are not there (in a container, with `subset=pid`, without PSI)
 * are told in `missing`; never rejects for them.
 * @throws ProcmusterError `INVALID_ARGUMENT` for a section that there is none of, `STALE_TABLE`
 */
export async function readSystem(options: SystemOptions = {}): Promise<SystemReading> {
  checkOptions(options, { procRoot: PATH, sections: listOf(TEXT), table: TABLE })
  const { procRoot = '/proc', sections = SYSTEM_SECTIONS, table } = options
  for (const section of sections) {
    if (Object.hasOwn(FILES, section)) continue
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message: `no section '${section}'; give some of: ${SYSTEM_SECTIONS.join(', ')}`,
    })
  }
  const processes = table === undefined ? undefined : countProcesses(table)
  const atMs = Date.now()
  const monotonicMs = performance.now()
  const missing: MissingFile[] = []
  const read: Partial<Record<SystemSection, unknown>> = {}
  await Promise.all(
    sections.map(async (section) => {
      const path = join(procRoot, FILES[section].path)
      const fail = (code: ErrorCode, reason: string) => missing.push({ section, path, code, reason })
      try {
        const value = FILES[section].parse(await readFile(path, 'utf8'))
        if (value === undefined) fail('UNSUPPORTED', `${path} cannot be understood`)
        else read[section] = value
      } catch (error) {
        const errno = errnoOf(error)
        if (errno === undefined) throw error
        fail(codeOfErrno(errno), `${path}: ${errnoName(errno)}`)
      }
    }),
  )
  missing.sort((a, b) => sections.indexOf(a.section) - sections.indexOf(b.section))
  return { atMs, monotonicMs, ...(read as SystemSections), processes, missing }
}

function countProcesses(table: Table): ProcessCounts {
  const { slots, columns } = table
  const byState: Record<string, number> = {}
  for (const slot of slots) {
    const letter = String.fromCharCode(columns.state[slot]!)
    byState[letter] = (byState[letter] ?? 0) + 1
  }
  return { total: table.size, byState }
}
