import { availableParallelism, constants } from 'node:os'
import { type Checks, checkOptions, listOf, oneOf, PATH, wholeWithin } from '../arguments.js'
import { codeOfErrno, errnoName, ProcmusterError } from '../errors.js'
import { type NativeSampler, native } from '../native.js'
import {
  headerCell,
  layoutTable,
  mapTable,
  markUnread,
  type OptionalGroup,
  type TableMemory,
} from '../table/layout.js'
import type { ProcessDetails, ProcessRow } from '../table/process.js'
import { type Source, Table } from '../table/table.js'
import { Turns } from '../turns.js'
import { DetailStore } from './detail_store.js'
import { SampleSource } from './sample_source.js'
import { UserNames } from './user_names.js'

/** Options of `Sampler.open`. */
export interface SamplerOptions {
  /**
   * `bpf` lets the kernel itself fill the table, at about a hundredth of the cost of `procfs`, which reads the files
   * below `/proc` and works everywhere. `auto`, the default, takes `bpf` where it can be had (Linux 6.7, CAP_BPF and
   * CAP_PERFMON, the host's namespaces), and goes on with `procfs` should the kernel refuse it later.
   */
  source?: 'auto' | Source
  /** Where proc is mounted; `/proc` by default. */
  procRoot?: string
  /**
   * Column groups besides `table`. From procfs, `io` and `status` cost one more file per process and sample each, `kernel`
   * two; `exactRss` costs in the bpf source only.
   */
  groups?: readonly OptionalGroup[]
  /** Rows to begin with; the table grows by itself. 16,384 by default. */
  capacity?: number
  /** Threads of the procfs source, 1 to 16; two by default, one on a single-core host. */
  threads?: number
  /**
   * Descriptors that the scan threads may keep open in tables of their own, shared by all of them; 32,768 by default,
   * 0 for none. Reading a kept one costs half; it holds about 4.5 KiB of kernel memory.
   */
  descriptors?: number
}

const OPTIONAL_GROUPS: readonly OptionalGroup[] = ['io', 'status', 'kernel', 'exactRss']
const LARGEST_CAPACITY = 4_194_304 // PID_MAX_LIMIT of linux/threads.h

function isSameSet(a: readonly OptionalGroup[], b: readonly OptionalGroup[]): boolean {
  return a.every((group) => b.includes(group)) && b.every((group) => a.includes(group))
}

export const SAMPLER_CHECKS: Checks<SamplerOptions> = {
  source: oneOf(['auto', 'bpf', 'procfs']),
  procRoot: PATH,
  groups: listOf(oneOf(OPTIONAL_GROUPS)),
  capacity: wholeWithin(1, LARGEST_CAPACITY),
  threads: wholeWithin(1, 16),
  descriptors: wholeWithin(0, LARGEST_CAPACITY),
}

/** Samples every process of the host into shared columns, off the main thread. */
export class Sampler implements AsyncDisposable {
  readonly #native: NativeSampler = new native.Sampler()
  readonly #source: SampleSource
  #groups: readonly OptionalGroup[]
  readonly #users = new UserNames()
  readonly #details: DetailStore
  #memories: readonly [TableMemory, TableMemory]
  readonly #out = new Float64Array(2)
  #memTotalBytes = 0
  /** Sequence of the last sample begun, which has overwritten the one before the last, and of the last one done. */
  #begun = 0
  #done = 0
  /** Samples and changes of groups. */
  readonly #turns = new Turns()
  #closed = false

  private constructor(options: SamplerOptions) {
    checkOptions(options, SAMPLER_CHECKS)
    const { source = 'auto', procRoot = '/proc', groups = [], capacity = 16_384 } = options
    const { threads = Math.min(2, availableParallelism()), descriptors = 32_768 } = options
    this.#source = new SampleSource(this.#native, { wanted: source, procRoot, threads, descriptors })
    this.#groups = groups
    this.#details = new DetailStore(procRoot)
    this.#memories = this.#attach(groups, capacity)
  }

  /**
   * @throws ProcmusterError `INVALID_ARGUMENT` for an option out of range, `NOT_FOUND` or `ACCESS_DENIED` for the
   * proc root, `UNSUPPORTED` or `ACCESS_DENIED` for the source `bpf` where it cannot be had.
   */
  static async open(options: SamplerOptions = {}): Promise<Sampler> {
    const sampler = new Sampler(options)
    try {
      await Promise.all([sampler.#source.open(sampler.#groups.includes('exactRss')), sampler.#users.load()])
    } catch (error) {
      sampler.#native.close()
      throw error
    }
    return sampler
  }

  /** Where the rows come from; with the option `auto` it can change from `bpf` to `procfs` in a sample. */
  get source(): Source {
    return this.#source.name
  }

  /** One line: why this source, and why not the other. */
  get sourceReason(): string {
    return this.#source.reason
  }

  /** Rows that fit before the table grows. */
  get capacity(): number {
    return this.#memories[0].layout.capacity
  }

  /** Physical memory of the host in bytes, as of the last sample; 0 before the first. */
  get memTotalBytes(): number {
    return this.#memTotalBytes
  }

  /**
   * Takes a sample. The table is a view, good until the sample after the next begins. Calls are carried out one
   * after the other.
   *
   * @throws ProcmusterError `CLOSED` once `close()` was called, also for a sample under way.
   */
  sample(): Promise<Table> {
    return this.#turns.take(() => this.#sample())
  }

  /**
   * Bytes of `rssBytes` at which something is decided. The bpf source's counters are approximate: rows that lie within
   * their possible error of one of these are read again exactly, in the sample itself; one that cannot be is missing.
   *
   * @throws ProcmusterError `INVALID_ARGUMENT` for anything but a `Float64Array`.
   */
  setExactNear(thresholds: Float64Array): void {
    // The addon takes the memory as it is.
    if (!(thresholds instanceof Float64Array)) {
      throw new ProcmusterError('INVALID_ARGUMENT', {
        message: 'the thresholds of setExactNear are no Float64Array; give Float64Array.of(500 * 2 ** 20)',
      })
    }
    this.#native.setExactNear(thresholds)
  }

  /**
   * Column groups besides `table` from the next sample on; what a process was is known all the same, and rates of columns
   * that were not sampled before exist from the second sample on. Tables of before stay as they are.
   *
   * @throws ProcmusterError `INVALID_ARGUMENT`; `UNSUPPORTED` for `exactRss` where the bpf source was opened without:
   * the groups stay as they were then.
   */
  async setGroups(groups: readonly OptionalGroup[]): Promise<void> {
    listOf(oneOf(OPTIONAL_GROUPS))('groups', groups)
    return this.#turns.take(async () => this.#useGroups(groups))
  }

  /**
   * Reads command line, program and control group of these processes where they are not known yet, so that the rows
   * have them; once per life of a process and again after an exec. A process whose files stall is given up after a
   * time limit. Rows of processes that are gone stay without.
   */
  readDetails(rows: Iterable<ProcessRow>): Promise<void> {
    return this.#details.read(rows)
  }

  /** Idempotent; frees threads and descriptors. Tables stay readable. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#native.close()
    await this.#turns.over()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #useGroups(groups: readonly OptionalGroup[]): void {
    this.#checkOpen()
    if (groups.includes('exactRss') && this.source === 'bpf' && !this.#source.isExact) {
      throw new ProcmusterError('UNSUPPORTED', {
        message:
          "the bpf source takes the group 'exactRss' only when it is opened; give groups: ['exactRss'] to Sampler.open, to Engine.start as sampler: { groups: ['exactRss'] }",
      })
    }
    const before = this.#memories[0].layout
    if (isSameSet(groups, this.#groups)) return
    this.#memories = this.#attach(groups, before.capacity)
    this.#groups = groups
    // The addon has carried the last sample over; by its rows the next one reckons rates.
    markUnread(this.#memories[this.#done % 2]!, before)
  }

  #checkOpen(): void {
    if (this.#closed) throw new ProcmusterError('CLOSED', { message: 'the sampler has been closed' })
  }

  async #sample(): Promise<Table> {
    this.#checkOpen()
    const sequence = this.#done + 1 // one that failed is filled again
    this.#begun = sequence
    await this.#fill(sequence)
    this.#done = sequence
    await this.#users.refresh()
    const table = new Table(this.#memories[sequence % 2]!, {
      source: this.source,
      holds: (wanted) => this.#begun <= wanted + 1,
      userName: (uid) => this.#users.get(uid),
      details: (slot, generation): ProcessDetails | undefined => this.#details.get(slot, generation),
    })
    for (const slot of table.execedSlots) this.#details.drop(slot)
    this.#memTotalBytes = this.#memories[sequence % 2]!.header[headerCell.memTotalBytes]!
    return table
  }

  /** Fills the buffer of that sequence, with a larger table or another source where it takes one. */
  async #fill(sequence: number): Promise<void> {
    const out = this.#out
    for (;;) {
      await this.#native.sample(sequence, out)
      const [errno, needed] = out as unknown as [number, number]
      if (errno !== 0) {
        if (this.#closed) throw this.#source.failure(constants.errno.ECANCELED)
        if (this.source !== 'bpf') throw this.#source.failure(errno)
        await this.#source.leaveBpf(errno)
      } else if (needed === 0) {
        return
      } else {
        // Room for births until the next sample, so that growth stays rare.
        const capacity = Math.max(this.capacity * 2, 2 ** Math.ceil(Math.log2(needed * 1.25)))
        this.#memories = this.#attach(this.#groups, Math.min(capacity, LARGEST_CAPACITY))
      }
    }
  }

  #attach(groups: readonly OptionalGroup[], capacity: number): readonly [TableMemory, TableMemory] {
    const layout = layoutTable(groups, capacity)
    const buffers = [
      new SharedArrayBuffer(layout.byteLength),
      new SharedArrayBuffer(layout.byteLength),
    ] as const
    const { control, slots, born, gone, execed, missing, names, columnOffsets } = layout
    // The addon takes views: Node 20 does not hand a bare SharedArrayBuffer to native code.
    const errno = this.#native.attach(
      new Uint8Array(buffers[0]),
      new Uint8Array(buffers[1]),
      capacity,
      Float64Array.of(control, slots, born, gone, execed, missing, names, ...columnOffsets),
    )
    if (errno !== 0) {
      const message = `the table could not be handed to the addon (${errnoName(errno)})`
      throw new ProcmusterError(codeOfErrno(errno), { message, errno })
    }
    return [mapTable(layout, buffers[0]), mapTable(layout, buffers[1])]
  }
}
