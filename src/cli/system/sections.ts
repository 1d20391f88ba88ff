import type { SystemSection } from '../../public/system.js'

/** What `muster system` shows, by the word it is asked for, with what is read for it. */
export const SECTIONS = {
  cpu: ['cpu', 'cpuInfo', 'uptime'],
  cores: ['cpu'],
  memory: ['memory'],
  load: ['load'],
  processes: ['cpu'],
  pressure: ['cpuPressure', 'memoryPressure', 'ioPressure'],
  disks: ['disks'],
  network: ['network'],
  interrupts: ['interrupts', 'softirqs'],
  vmstat: ['vmstat'],
  kernel: ['version', 'fileHandles', 'entropyBits', 'filesystems', 'devices'],
} as const satisfies Readonly<Record<string, readonly SystemSection[]>>

export type Section = keyof typeof SECTIONS

export const SECTION_NAMES = Object.keys(SECTIONS) as Section[]

/** Shown where none is asked for. */
export const USUAL_SECTIONS: readonly Section[] = [
  'cpu',
  'cores',
  'memory',
  'load',
  'processes',
  'pressure',
  'disks',
  'network',
]

/** Between the two readings of a rate: 50 clock ticks, so that a share of a core is off by 2 % at most. */
export const WINDOW_MS = 500
