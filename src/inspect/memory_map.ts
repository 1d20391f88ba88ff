import { checkIdentity, checkOptions, FLAG, MILLISECONDS, PATH } from '../arguments.js'
import { parseLimits } from '../control/rlimit.js'
import type { ProcessIdentity } from '../table/identity.js'
import { EncodedMap, MEMORY_CLASSES, MEMORY_FIELDS, NarrowColumn, WideColumn } from './memory_layout.js'
import { readUnchecked } from './proc_files.js'

/**
 * What a mapping is for. `text`: code and read-only data of the program; `data`: its writable data; `bss`: zeroed data of the
 * program and its libraries; `sharedObject`: files with code that are not the program; `mappedFile`: other files, `sharedMemory`: shm,
 * memfd, System V and shared anonymous memory; `other`: devices and rings of the kernel.
 */
export type MemoryClass =
  | 'text'
  | 'data'
  | 'bss'
  | 'heap'
  | 'stack'
  | 'threadStack'
  | 'sharedObject'
  | 'mappedFile'
  | 'sharedMemory'
  | 'anonymous'
  | 'vdso'
  | 'vvar'
  | 'vsyscall'
  | 'other'

/** Bytes of one mapping or of several, proc_pid_smaps(5). All but `sizeBytes` are undefined where only `maps` was read. */
export interface MemoryUse extends Readonly<Record<Exclude<MemoryField, 'sizeBytes'>, number | undefined>> {
  readonly sizeBytes: number
}

/** `hugetlbBytes` are no part of `rssBytes`; shared and private tell what copy-on-write has left in common. */
export type MemoryField = (typeof MEMORY_FIELDS)[number]

/** The mappings of one class together. */
export interface MemoryTotals extends MemoryUse {
  /** Number of mappings. */
  readonly count: number
}

/** One mapping, proc_pid_maps(5). */
export interface MemoryRegion extends MemoryUse {
  readonly class: MemoryClass
  /** False when the class was concluded from the mappings around it, as for stacks of threads that cannot be looked into. */
  readonly isCertain: boolean
  /** Addresses; above 2^53 they are whole pages, and exact. */
  readonly start: number
  readonly end: number
  /** As the kernel writes it, such as `r-xp`; `s` is shared, `p` private (copy-on-write). */
  readonly permissions: string
  readonly offset: number
  /** `major:minor` in decimal. */
  readonly device: string
  /** 0 for memory without a file. */
  readonly inode: number
  /** Path, or the kernel's name in brackets; a newline is `\012`. Hostile: escape it before it is shown. */
  readonly name: string
  /** Thread whose stack it is, where that is known. */
  readonly tid?: number
}

/** The stack of the first thread against its limit. */
export interface StackUse {
  readonly sizeBytes: number
  readonly rssBytes: number | undefined
  /** From the top down to the stack pointer; undefined when that may not be read, or the process runs just now. */
  readonly depthBytes: number | undefined
  /** RLIMIT_STACK, soft, Infinity for none; undefined when it may not be read. */
  readonly limitBytes: number | undefined
}

/** Options of `readMemoryMap`. */
export interface MemoryMapOptions {
  readonly procRoot?: string
  /** Default 5000: of a process with hundreds of gigabytes the kernel counts pages for seconds. */
  readonly timeoutMs?: number
  /** False reads `maps` alone: bounds and classes, no use. Costs a fifth. */
  readonly usage?: boolean
}

/** The mappings of a process in ascending order of address; regions are made when they are asked for. */
export class MemoryMap implements Iterable<MemoryRegion> {
  /** By class; a class without mappings is there with zeros. */
  readonly totals: Readonly<Record<MemoryClass, MemoryTotals>>
  /** Of all classes together. */
  readonly total: MemoryTotals
  readonly stack: StackUse | undefined
  /** Threads whose stacks were concluded from the mappings, or not found. */
  readonly threadsUnlocated: number
  readonly #encoded: EncodedMap

  /** @internal */
  constructor(encoded: EncodedMap, stackLimitBytes: number | undefined) {
    this.#encoded = encoded
    this.threadsUnlocated = encoded.threadsUnlocated
    const each = MEMORY_CLASSES.map((_, index) => encoded.total(index))
    const totalsOf = (counts: Float64Array): MemoryTotals => ({
      count: counts[0]!,
      ...this.#use((field) => counts[1 + field]!),
    })
    this.totals = Object.fromEntries(
      MEMORY_CLASSES.map((name, index) => [name, totalsOf(each[index]!)]),
    ) as Record<MemoryClass, MemoryTotals>
    this.total = totalsOf(each[0]!.map((_, column) => each.reduce((sum, counts) => sum + counts[column]!, 0)))
    this.stack = this.#stackUse(stackLimitBytes)
  }

  /** Number of mappings. */
  get size(): number {
    return this.#encoded.count
  }

  /** Whether memory in use is known, or only the bounds of each mapping. */
  get hasUsage(): boolean {
    return this.#encoded.hasUsage
  }

  /** @throws RangeError for an index that is not below `size` */
  at(index: number): MemoryRegion {
    if (!(index >= 0 && index < this.size))
      throw new RangeError(`no mapping ${index}; there are ${this.size}`)
    const wide = (column: WideColumn) => this.#encoded.wide(index, column)
    const narrow = (column: NarrowColumn) => this.#encoded.narrow(index, column)
    const classAndCertain = narrow(NarrowColumn.classAndCertain)
    const tid = narrow(NarrowColumn.tid)
    const bits = narrow(NarrowColumn.permissions)
    const letter = (bit: number, set: string, unset = '-') => ((bits & bit) === 0 ? unset : set)
    return {
      class: MEMORY_CLASSES[classAndCertain >> 1]!,
      isCertain: (classAndCertain & 1) === 1,
      start: wide(WideColumn.start),
      end: wide(WideColumn.end),
      permissions: letter(1, 'r') + letter(2, 'w') + letter(4, 'x') + letter(8, 's', 'p'),
      offset: wide(WideColumn.offset),
      device: `${narrow(NarrowColumn.deviceMajor)}:${narrow(NarrowColumn.deviceMinor)}`,
      inode: wide(WideColumn.inode),
      name: this.#encoded.name(narrow(NarrowColumn.name)),
      ...(tid === 0 ? {} : { tid }),
      ...this.#use((field) => this.#encoded.field(index, field)),
    }
  }

  *[Symbol.iterator](): Iterator<MemoryRegion> {
    for (let index = 0; index < this.size; index++) yield this.at(index)
  }

  /** The distinct names of the mappings of a class, in ascending order of address. */
  paths(kind: MemoryClass): string[] {
    const wanted = MEMORY_CLASSES.indexOf(kind)
    const names = new Set<number>()
    for (let index = 0; index < this.size; index++) {
      const classAndCertain = this.#encoded.narrow(index, NarrowColumn.classAndCertain)
      if (classAndCertain >> 1 === wanted) names.add(this.#encoded.narrow(index, NarrowColumn.name))
    }
    return Array.from(names, (name) => this.#encoded.name(name))
  }

  #use(field: (index: number) => number): MemoryUse {
    const entries = MEMORY_FIELDS.map((name, index) => [
      name,
      index === 0 || this.#encoded.hasUsage ? field(index) : undefined,
    ])
    return Object.fromEntries(entries) as MemoryUse
  }

  #stackUse(limitBytes: number | undefined): StackUse | undefined {
    const stackClass = MEMORY_CLASSES.indexOf('stack')
    for (let index = this.size - 1; index >= 0; index--) {
      if (this.#encoded.narrow(index, NarrowColumn.classAndCertain) >> 1 !== stackClass) continue
      const { start, end, sizeBytes, rssBytes } = this.at(index)
      const pointer = this.#encoded.mainStackPointer
      const depthBytes = pointer >= start && pointer < end ? end - pointer : undefined
      return { sizeBytes, rssBytes, depthBytes, limitBytes }
    }
    return undefined
  }
}

/**
 * The mappings of a process, each with its class and use, read and sorted off the main thread. Empty for a kernel thread and a
 * zombie; of a process whose first thread has ended while others live on, it is that of the others. Where the kernel keeps no
 * `smaps`, bounds and classes alone.
 * @throws ProcmusterError `PROCESS_GONE`, `ACCESS_DENIED`, `TIMEOUT`
 */
export async function readMemoryMap(
  target: Pick<ProcessIdentity, 'pid' | 'startTicks'>,
  options: MemoryMapOptions = {},
): Promise<MemoryMap> {
  checkIdentity(target)
  checkOptions(options, { procRoot: PATH, timeoutMs: MILLISECONDS, usage: FLAG })
  const { procRoot = '/proc', timeoutMs = 5000, usage = true } = options
  const read = (name: string) => readUnchecked(target, { procRoot, timeoutMs, files: ['limits', name] })
  let [limits, map] = await read(usage ? 'map:smaps' : 'map:maps')
  if (usage && map!.error?.code === 'NOT_FOUND') [limits, map] = await read('map:maps')
  if (map!.error !== undefined) throw map!.error
  const text = limits!.error === undefined ? limits!.data.toString('latin1') : undefined
  const soft = text === undefined ? undefined : parseLimits(text)?.stack.soft
  return new MemoryMap(new EncodedMap(map!.data), soft === 'unlimited' ? Number.POSITIVE_INFINITY : soft)
}
