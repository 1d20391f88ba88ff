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

/** Columns of a region, before its fields. */
export enum RegionColumn {
  start = 0,
  end = 1,
  offset = 2,
  inode = 3,
  deviceMajor = 4,
  deviceMinor = 5,
  name = 6,
  tid = 7,
  permissions = 8,
  classAndCertain = 9,
  fields = 10,
}

const HEADER_NUMBERS = 5
const COLUMNS = RegionColumn.fields + MEMORY_FIELDS.length
const PER_TOTAL = 1 + MEMORY_FIELDS.length

const utf8 = new TextDecoder()

/** What the addon's `MemoryMap::Encode` wrote: doubles, then the bytes of the names. */
export class EncodedMap {
  readonly count: number
  readonly hasUsage: boolean
  /** Threads whose stack pointer could not be read. */
  readonly threadsUnlocated: number
  /** Of the first thread, 0 when it is not known. */
  readonly mainStackPointer: number
  readonly #numbers: Float64Array
  readonly #names: Buffer
  readonly #regions: number
  readonly #nameEnds: number

  constructor(data: Buffer) {
    // A small one shares its memory with others, at any offset.
    const aligned =
      data.byteOffset % Float64Array.BYTES_PER_ELEMENT === 0 ? data : Buffer.from(new Uint8Array(data))
    this.#numbers = new Float64Array(aligned.buffer, aligned.byteOffset, Math.floor(aligned.length / 8))
    const [count, names, hasUsage, unlocated, stackPointer] = this.#numbers
    this.count = count!
    this.hasUsage = hasUsage === 1
    this.threadsUnlocated = unlocated!
    this.mainStackPointer = stackPointer!
    this.#regions = HEADER_NUMBERS + MEMORY_CLASSES.length * PER_TOTAL
    this.#nameEnds = this.#regions + this.count * COLUMNS
    this.#names = aligned.subarray((this.#nameEnds + names!) * Float64Array.BYTES_PER_ELEMENT)
  }

  /** Number of regions of a class, and then its fields. */
  total(index: number): Float64Array {
    const at = HEADER_NUMBERS + index * PER_TOTAL
    return this.#numbers.subarray(at, at + PER_TOTAL)
  }

  cell(region: number, column: number): number {
    return this.#numbers[this.#regions + region * COLUMNS + column]!
  }

  name(index: number): string {
    const start = index === 0 ? 0 : this.#numbers[this.#nameEnds + index - 1]!
    return utf8.decode(this.#names.subarray(start, this.#numbers[this.#nameEnds + index]!))
  }
}
