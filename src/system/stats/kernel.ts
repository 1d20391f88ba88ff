/** A driver's number and name, `/proc/devices`. */
export interface DeviceDriver {
  readonly major: number
  readonly name: string
}

/** proc_devices(5). */
export interface DevicesReading {
  readonly character: readonly DeviceDriver[]
  readonly block: readonly DeviceDriver[]
}

/** `Character devices:`, lines `  4 tty`, `Block devices:`, lines `254 virtblk`. */
export function parseDevices(text: string): DevicesReading | undefined {
  const [, character, block] =
    /^Character devices:\n([\s\S]*?)\n*^Block devices:\n([\s\S]*)/m.exec(text) ?? []
  if (character === undefined || block === undefined) return undefined
  return { character: driversOf(character), block: driversOf(block) }
}

const driversOf = (lines: string): DeviceDriver[] =>
  [...lines.matchAll(/^ *(\d+) (.+)$/gm)].map(([, major, name]) => ({ major: Number(major), name: name! }))

/** A type of file system that the kernel knows, proc_filesystems(5). */
export interface FilesystemType {
  readonly name: string
  /** Whether it lies on a block device. */
  readonly needsDevice: boolean
}

/** `nodev<tab>proc`, or `<tab>ext4`. */
export function parseFilesystems(text: string): FilesystemType[] {
  return [...text.matchAll(/^(nodev)?\t(.+)$/gm)].map(([, nodev, name]) => ({
    name: name!,
    needsDevice: nodev === undefined,
  }))
}

/** Numbers by name, one a line: proc_vmstat(5). */
export function parseVmstat(text: string): Record<string, number> | undefined {
  const lines = [...text.matchAll(/^(\w+) (\d+)$/gm)]
  return lines.length === 0 ? undefined : Object.fromEntries(lines.map(([, name, n]) => [name, Number(n)]))
}

/** Open files of the whole host, `/proc/sys/fs/file-nr`. */
export interface FileHandles {
  readonly allocated: number
  /** How many there may be; what the kernel says for no limit is Infinity. */
  readonly limit: number
}

const NO_LIMIT = 2 ** 53

/** `1385<tab>0<tab>2466160`: allocated, free (always 0 since Linux 2.6), limit. */
export function parseFileNr(text: string): FileHandles | undefined {
  const found = /^(\d+)\s+\d+\s+(\d+)$/m.exec(text)
  if (found === null) return undefined
  const limit = Number(found[2])
  return { allocated: Number(found[1]), limit: limit > NO_LIMIT ? Number.POSITIVE_INFINITY : limit }
}

/** A file with one number. */
export function parseNumber(text: string): number | undefined {
  return /^\d+\n?$/.test(text) ? Number(text) : undefined
}

/** A file with one line of text. */
export function parseLine(text: string): string | undefined {
  const line = text.trim()
  return line === '' ? undefined : line
}
