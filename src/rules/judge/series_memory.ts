import type { SeriesPlan } from '../compile/plan.js'

/** Processes or groups whose samples lie side by side: columns of so many numbers, so that a tick streams through them. */
export const LANES = 16
const TREND_COLUMNS = 9

/** Cells of a chunk before its columns; the first of them hold 32-bit numbers. */
const HEAD_CELLS = 12
/** 32-bit numbers at the start of a chunk. */
export const chunkCell = { next: 0, kind: 1, used: 2, trendRow: 3, slots: 8 } as const
/** Float64 cells of a chunk's head. */
export const chunkNumber = { tick: 2, bucket: 3 } as const

const headCell = { cursor: 0, trendCursor: 1, refused: 2, usedCells: 3, lanes: 4, count: 8 } as const
/** Kinds of chunks: by number of columns, and one for those that own rows of the tracker. */
const TREND_KIND = 255
const KINDS = 256
const SERIES_CELLS = 2

/** Columns of a chunk of that family: what they are is told in series.ts and trends.ts. */
export function columnsOf({ family, buckets }: Pick<SeriesPlan, 'family' | 'buckets'>): number {
  switch (family) {
    case 'sum':
      return 7 + 2 * buckets
    case 'min':
    case 'max':
      return 5 + buckets
    case 'first':
      return 5 + 2 * buckets
    case 'last':
      return 4 + buckets
    case 'since':
      return 2
    case 'trend':
      return TREND_COLUMNS
  }
}

export interface SeriesShape {
  /** Series that there is room for. */
  readonly places: number
  /** 32-bit words of a bitset over slots. */
  readonly words: number
  /** Cells for chunks. */
  readonly cells: number
}

/**
 * Memory of a shard's series, shared: chunks of lanes, handed out and taken back. It is reserved at its largest; what is never
 * used is never resident.
 */
export class SeriesMemory {
  readonly buffer: SharedArrayBuffer
  readonly shape: SeriesShape
  readonly numbers: Float64Array
  readonly integers: Int32Array
  /** By place: bitset of the slots that are followed. */
  readonly members: Int32Array
  readonly #head: Int32Array
  /** By kind: the first free chunk. */
  readonly #free: Int32Array
  /** By place: first chunk or 0, and a number that changes with who is followed. */
  readonly #first: Int32Array
  /** By place: which series it is. */
  readonly #tag: Float64Array

  constructor(shape: SeriesShape, buffer?: SharedArrayBuffer) {
    const { places, words, cells } = shape
    const membersAt = headCell.count * 4 + KINDS * 4 + places * (SERIES_CELLS * 4 + 8)
    const chunksAt = Math.ceil((membersAt + places * words * 4) / 64) * 64
    this.shape = shape
    this.buffer = buffer ?? new SharedArrayBuffer(chunksAt + (cells + HEAD_CELLS) * 8)
    let at = 0
    const integers = (count: number) => {
      const view = new Int32Array(this.buffer, at, count)
      at += count * 4
      return view
    }
    this.#head = integers(headCell.count)
    this.#free = integers(KINDS)
    this.#first = integers(places * SERIES_CELLS)
    this.#tag = new Float64Array(this.buffer, at, places)
    at += places * 8
    this.members = integers(places * words)
    this.numbers = new Float64Array(this.buffer, chunksAt, cells + HEAD_CELLS)
    this.integers = new Int32Array(this.buffer, chunksAt, (cells + HEAD_CELLS) * 2)
    // Chunk 0 is none.
    if (this.#head[headCell.cursor] === 0) this.#head[headCell.cursor] = HEAD_CELLS
  }

  /** Takes over from a smaller memory. */
  takeOver(from: SeriesMemory): void {
    this.#head.set(from.#head)
    this.#free.set(from.#free)
    this.#first.set(from.#first)
    this.#tag.set(from.#tag)
    for (let place = 0; place < from.shape.places; place++) {
      const { words } = from.shape
      this.members.set(from.members.subarray(place * words, (place + 1) * words), place * this.shape.words)
    }
    this.numbers.set(from.numbers.subarray(0, from.#head[headCell.cursor]!))
  }

  /** Bytes handed out for chunks that are in use; `trendBytes` for each lane of those that have a trend. */
  usedBytes(trendBytes: number): number {
    return this.#head[headCell.usedCells]! * 8 + this.trendRows * trendBytes
  }

  /** Rows of the tracker that were ever handed out. */
  get trendRows(): number {
    return this.#head[headCell.trendCursor]!
  }

  /** Processes and groups that are followed, each series for itself. */
  get lanes(): number {
    return this.#head[headCell.lanes]!
  }

  set lanes(count: number) {
    this.#head[headCell.lanes] = count
  }

  get refused(): number {
    return this.#head[headCell.refused]!
  }

  set refused(count: number) {
    this.#head[headCell.refused] = count
  }

  tagOf(place: number): number {
    return this.#tag[place]!
  }

  /** Gives a place to another series, or to none: 0. */
  retag(place: number, tag: number): void {
    for (let chunk = this.#first[place * SERIES_CELLS]!; chunk !== 0; ) {
      const next = this.integers[chunk * 2 + chunkCell.next]!
      for (let used = this.integers[chunk * 2 + chunkCell.used]!; used !== 0; used &= used - 1) this.lanes--
      this.#release(chunk)
      chunk = next
    }
    this.#first[place * SERIES_CELLS] = 0
    this.revise(place)
    const { words } = this.shape
    this.members.fill(0, place * words, (place + 1) * words)
    this.#tag[place] = tag
  }

  versionOf(place: number): number {
    return this.#first[place * SERIES_CELLS + 1]!
  }

  /** Somebody else is followed now. */
  revise(place: number): void {
    this.#first[place * SERIES_CELLS + 1]!++
  }

  firstChunk(place: number): number {
    return this.#first[place * SERIES_CELLS]!
  }

  nextChunk(chunk: number): number {
    return this.integers[chunk * 2 + chunkCell.next]!
  }

  /** A chunk for a series, or 0 when there is no room. */
  add(place: number, columns: number, needsTrend: boolean, trendCapacity: number): number {
    const kind = needsTrend ? TREND_KIND : columns
    let chunk = this.#free[kind]!
    if (chunk !== 0) {
      // Out of the list before it is in another: when the thread dies in between, a chunk is lost and not used twice.
      this.#free[kind] = this.integers[chunk * 2 + chunkCell.next]!
    } else {
      const cells = HEAD_CELLS + columns * LANES
      const cursor = this.#head[headCell.cursor]!
      if (cursor + cells > this.shape.cells) return 0
      if (needsTrend && this.trendRows + LANES > trendCapacity) return 0
      chunk = cursor
      this.#head[headCell.cursor] = cursor + cells
      if (needsTrend) {
        this.integers[chunk * 2 + chunkCell.trendRow] = this.trendRows
        this.#head[headCell.trendCursor]! += LANES
      }
    }
    const at = chunk * 2
    this.integers[at + chunkCell.used] = 0
    this.integers[at + chunkCell.kind] = kind
    this.integers[at + chunkCell.next] = this.#first[place * SERIES_CELLS]!
    this.numbers[chunk + chunkNumber.tick] = -1
    this.#head[headCell.usedCells]! += HEAD_CELLS + columns * LANES
    this.#first[place * SERIES_CELLS] = chunk
    return chunk
  }

  /** Takes back the chunks of a series in which no lane is used any more. */
  sweep(place: number): void {
    let before = 0
    for (let chunk = this.firstChunk(place); chunk !== 0; ) {
      const next = this.nextChunk(chunk)
      if (this.integers[chunk * 2 + chunkCell.used] === 0) {
        if (before === 0) this.#first[place * SERIES_CELLS] = next
        else this.integers[before * 2 + chunkCell.next] = next
        this.#release(chunk)
      } else {
        before = chunk
      }
      chunk = next
    }
  }

  #release(chunk: number): void {
    const kind = this.integers[chunk * 2 + chunkCell.kind]!
    this.#head[headCell.usedCells]! -= HEAD_CELLS + (kind === TREND_KIND ? TREND_COLUMNS : kind) * LANES
    this.integers[chunk * 2 + chunkCell.next] = this.#free[kind]!
    this.#free[kind] = chunk
  }
}

/** Where a lane's column begins in `numbers`. */
export function columnAt(chunk: number, column: number): number {
  return chunk + HEAD_CELLS + column * LANES
}
