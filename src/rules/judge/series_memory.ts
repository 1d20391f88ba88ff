import type { SeriesPlan } from '../compile/plan.js'

/** Processes or groups whose samples lie side by side: columns of so many numbers, so that a tick streams through them. */
export const LANES = 16

/** Cells of a chunk before its columns; the first of them hold 32-bit numbers. */
const HEAD_CELLS = 12
/** 32-bit numbers at the start of a chunk. One with a trend has no ring. */
export const chunkCell = { next: 0, kind: 1, used: 2, trendRow: 3, ring: 3, slots: 8 } as const
/** Float64 cells of a chunk's head. */
export const chunkNumber = { tick: 2, bucket: 3 } as const

const headCell = {
  cursor: 0,
  trendCursor: 1,
  refused: 2,
  usedCells: 3,
  lanes: 4,
  ringCells: 5,
  count: 8,
} as const
const SERIES_CELLS = 2

/** What a chunk consists of, by columns: those of every tick, and those of its ring, which lie apart. */
export interface ChunkShape {
  readonly columns: number
  readonly ringColumns: number
}
/** Neither is larger; chunks of the same shape take each other's place. */
const MOST_COLUMNS = 9
const MOST_RING_COLUMNS = 127
const KINDS = (MOST_COLUMNS + 1) * (MOST_RING_COLUMNS + 1)

/** What the columns are is told in series.ts, windows.ts and trends.ts. */
export function chunkShapeOf({ family, buckets }: Pick<SeriesPlan, 'family' | 'buckets'>): ChunkShape {
  switch (family) {
    case 'sum':
    case 'first':
      return { columns: 7, ringColumns: 2 * buckets }
    case 'min':
    case 'max':
      return { columns: 5, ringColumns: buckets + partOf(buckets) + Math.ceil(buckets / partOf(buckets)) }
    case 'last':
      return { columns: 4, ringColumns: buckets }
    case 'since':
      return { columns: 2, ringColumns: 0 }
    case 'trend':
      return { columns: 9, ringColumns: 0 }
  }
}

/** Buckets in a part of a ring of extremes. */
export function partOf(buckets: number): number {
  return Math.ceil(Math.sqrt(buckets))
}

export function cellsOf({ columns, ringColumns }: ChunkShape): number {
  return HEAD_CELLS + (columns + ringColumns) * LANES
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
 * used is never resident. Rings are handed out from its end: most ticks want little or nothing of them, and stream through the rest.
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
    const ringCells = from.#head[headCell.ringCells]!
    this.numbers.set(from.numbers.subarray(from.numbers.length - ringCells), this.numbers.length - ringCells)
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
  add(place: number, shape: ChunkShape, needsTrend: boolean, trendCapacity: number): number {
    const kind = shape.ringColumns * (MOST_COLUMNS + 1) + shape.columns
    let chunk = this.#free[kind]!
    if (chunk !== 0) {
      // Out of the list before it is in another: when the thread dies in between, a chunk is lost and not used twice.
      this.#free[kind] = this.integers[chunk * 2 + chunkCell.next]!
    } else {
      chunk = this.#carve(shape, needsTrend, trendCapacity)
      if (chunk === 0) return 0
    }
    const at = chunk * 2
    this.integers[at + chunkCell.used] = 0
    this.integers[at + chunkCell.kind] = kind
    this.integers[at + chunkCell.next] = this.#first[place * SERIES_CELLS]!
    this.numbers[chunk + chunkNumber.tick] = -1
    this.#head[headCell.usedCells]! += cellsOf(shape)
    this.#first[place * SERIES_CELLS] = chunk
    return chunk
  }

  /** One that was never used. */
  #carve(shape: ChunkShape, needsTrend: boolean, trendCapacity: number): number {
    const head = this.#head
    const chunk = head[headCell.cursor]!
    const ringCells = shape.ringColumns * LANES
    if (chunk + cellsOf(shape) > this.numbers.length - head[headCell.ringCells]!) return 0
    if (needsTrend && this.trendRows + LANES > trendCapacity) return 0
    head[headCell.cursor] = chunk + cellsOf(shape) - ringCells
    head[headCell.ringCells]! += ringCells
    if (needsTrend) {
      this.integers[chunk * 2 + chunkCell.trendRow] = this.trendRows
      head[headCell.trendCursor]! += LANES
    } else {
      this.integers[chunk * 2 + chunkCell.ring] = head[headCell.ringCells]!
    }
    return chunk
  }

  /** Where a chunk's ring begins in `numbers`. */
  ringAt(chunk: number): number {
    return this.numbers.length - this.integers[chunk * 2 + chunkCell.ring]!
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
    const columns = kind % (MOST_COLUMNS + 1)
    const ringColumns = (kind - columns) / (MOST_COLUMNS + 1)
    this.#head[headCell.usedCells]! -= cellsOf({ columns, ringColumns })
    this.integers[chunk * 2 + chunkCell.next] = this.#free[kind]!
    this.#free[kind] = chunk
  }
}

/** Where a lane's column begins in `numbers`. */
export function columnAt(chunk: number, column: number): number {
  return chunk + HEAD_CELLS + column * LANES
}
