/** `/proc/meminfo`, proc_meminfo(5). */
export interface MemoryReading {
  readonly totalBytes: number
  readonly freeBytes: number
  /** What can be had without swapping, by the kernel's estimate; undefined before Linux 3.14. */
  readonly availableBytes: number | undefined
  readonly buffersBytes: number
  /** Page cache, `Cached`; that of shared memory is in it. */
  readonly cachedBytes: number
  /** Slabs that can be given back, `SReclaimable`. */
  readonly reclaimableBytes: number | undefined
  /** Shared memory and tmpfs, `Shmem`. */
  readonly sharedBytes: number | undefined
  /** Total less available, as free(1) has it; without `availableBytes` less free, buffers and cache. */
  readonly usedBytes: number
  readonly swapTotalBytes: number | undefined
  readonly swapFreeBytes: number | undefined
  readonly swapUsedBytes: number | undefined
  /** Every line by the kernel's name: bytes where it says kB, else (`HugePages_Total` and the like) numbers. */
  readonly fields: Readonly<Record<string, number>>
}

/** Each line `MemTotal:       16336224 kB`; sizes in bytes. */
export function meminfoFields(text: string): Map<string, number> {
  const fields = new Map<string, number>()
  for (const [, name, digits, unit] of text.matchAll(/^([^:\n]+):\s+(\d+)( kB)?$/gm)) {
    fields.set(name!, unit === undefined ? Number(digits) : Number(digits) * 1024)
  }
  return fields
}

/** Undefined when it does not even say how much memory there is. */
export function parseMemory(text: string): MemoryReading | undefined {
  const fields = meminfoFields(text)
  const get = (name: string): number | undefined => fields.get(name)
  const totalBytes = get('MemTotal')
  const freeBytes = get('MemFree')
  if (totalBytes === undefined || freeBytes === undefined) return undefined
  const availableBytes = get('MemAvailable')
  const buffersBytes = get('Buffers') ?? 0
  const cachedBytes = get('Cached') ?? 0
  const reclaimableBytes = get('SReclaimable')
  const restBytes = freeBytes + buffersBytes + cachedBytes + (reclaimableBytes ?? 0)
  const swapTotalBytes = get('SwapTotal')
  const swapFreeBytes = get('SwapFree')
  return {
    totalBytes,
    freeBytes,
    availableBytes,
    buffersBytes,
    cachedBytes,
    reclaimableBytes,
    sharedBytes: get('Shmem'),
    usedBytes: Math.max(0, totalBytes - (availableBytes ?? restBytes)),
    swapTotalBytes,
    swapFreeBytes,
    swapUsedBytes:
      swapTotalBytes === undefined || swapFreeBytes === undefined
        ? undefined
        : swapTotalBytes - swapFreeBytes,
    fields: Object.fromEntries(fields),
  }
}
