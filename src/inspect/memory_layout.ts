import type { MemoryClass } from './memory_map.js'

/** The order of `MemoryField` in native/inspect/smaps.h. */
export const MEMORY_FIELDS = [
  'sizeBytes',
  'rssBytes',
  'pssBytes',
  'sharedCleanBytes',
  'sharedDirtyBytes',
  'privateCleanBytes',
  'privateDirtyBytes',
  'anonymousBytes',
  'hugePagesBytes',
  'hugetlbBytes',
  'swapBytes',
  'swapPssBytes',
  'lockedBytes',
] as const

/** The order of `MemoryClass` in native/inspect/memory_map.h. */
export const MEMORY_CLASSES = [
  'text',
  'data',
  'bss',
  'heap',
  'stack',
  'threadStack',
  'sharedObject',
  'mappedFile',
  'sharedMemory',
  'anonymous',
  'vdso',
  'vvar',
  'vsyscall',
  'other',
] as const satisfies readonly MemoryClass[]

/** Numbers of a region that take a double. */
export enum WideColumn {
  start = 0,
  end = 1,
  offset = 2,
  inode = 3,
}

/** Those that 32 bits are enough for. */
export enum NarrowColumn {
  deviceMajor = 0,
  deviceMinor = 1,
  name = 2,
  tid = 3,
  permissions = 4,
  classAndCertain = 5,
  /** A bit for each field that is not zero. */
  present = 6,
  /** Index of the first of these among all values. */
  firstValue = 7,
}

const HEADER_NUMBERS = 6
const WIDE_COLUMNS = 4
const NARROW_COLUMNS = 8
const PER_TOTAL = 1 + MEMORY_FIELDS.length

const utf8 = new TextDecoder()

/** What the addon's `MemoryMap::Encode` wrote: doubles, then numbers of 32 bits, then the bytes of the names. */
export class EncodedMap {
  readonly count: number
  readonly hasUsage: boolean
  /** Threads whose stack pointer could not be read. */
  readonly threadsUnlocated: number
  /** Of the first thread, 0 when it is not known. */
  readonly mainStackPointer: number
  readonly #numbers: Float64Array
  readonly #narrow: Uint32Array
  readonly #names: Buffer
  readonly #regions: number
  readonly #nameEnds: number
  readonly #values: number

  constructor(data: Buffer) {
    // A small one shares its memory with others, at any offset.
    const aligned =
      data.byteOffset % Float64Array.BYTES_PER_ELEMENT === 0 ? data : Buffer.from(new Uint8Array(data))
    const { buffer, byteOffset } = aligned
    this.#numbers = new Float64Array(buffer, byteOffset, Math.floor(aligned.length / 8))
    const [count, names, hasUsage, unlocated, stackPointer, values] = this.#numbers
    this.count = count!
    this.hasUsage = hasUsage === 1
    this.threadsUnlocated = unlocated!
    this.mainStackPointer = stackPointer!
    this.#regions = HEADER_NUMBERS + MEMORY_CLASSES.length * PER_TOTAL
    this.#nameEnds = this.#regions + this.count * WIDE_COLUMNS
    this.#values = this.#nameEnds + names!
    const narrowAt = (this.#values + values!) * Float64Array.BYTES_PER_ELEMENT
    this.#narrow = new Uint32Array(buffer, byteOffset + narrowAt, this.count * NARROW_COLUMNS)
    this.#names = aligned.subarray(narrowAt + this.#narrow.byteLength)
  }

  /** Number of regions of a class, and then its fields. */
  total(index: number): Float64Array {
    const at = HEADER_NUMBERS + index * PER_TOTAL
    return this.#numbers.subarray(at, at + PER_TOTAL)
  }

  wide(region: number, column: WideColumn): number {
    return this.#numbers[this.#regions + region * WIDE_COLUMNS + column]!
  }

  narrow(region: number, column: NarrowColumn): number {
    return this.#narrow[region * NARROW_COLUMNS + column]!
  }

  /** By its index in `MEMORY_FIELDS`. */
  field(region: number, index: number): number {
    const present = this.narrow(region, NarrowColumn.present)
    if ((present & (1 << index)) === 0) return 0
    const before = countBits(present & ((1 << index) - 1))
    return this.#numbers[this.#values + this.narrow(region, NarrowColumn.firstValue) + before]!
  }

  name(index: number): string {
    const start = index === 0 ? 0 : this.#numbers[this.#nameEnds + index - 1]!
    return utf8.decode(this.#names.subarray(start, this.#numbers[this.#nameEnds + index]!))
  }
}

function countBits(bits: number): number {
  let count = 0
  for (let left = bits; left !== 0; left &= left - 1) count++
  return count
}
