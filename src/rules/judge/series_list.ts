import { chunkCell, columnAt, LANES, type SeriesMemory } from './series_memory.js'

/** Who is followed by a series, in the order in which their samples lie. */
export interface LaneList {
  readonly slots: Int32Array
  readonly lanes: Int32Array
  /** Where the lane's first column is. */
  readonly cells: Int32Array
  /** Where its part of the ring begins; empty for a series without rings. */
  readonly rings: Int32Array
}

const none = new Int32Array(0)
export const NOBODY: LaneList = { slots: none, lanes: none, cells: none, rings: none }

export function listLanes(memory: SeriesMemory, place: number, hasRings: boolean): LaneList {
  const { integers } = memory
  const slots: number[] = []
  const lanes: number[] = []
  for (let chunk = memory.firstChunk(place); chunk !== 0; chunk = memory.nextChunk(chunk)) {
    const used = integers[chunk * 2 + chunkCell.used]!
    for (let lane = 0; lane < LANES; lane++) {
      if (((used >>> lane) & 1) === 0) continue
      slots.push(integers[chunk * 2 + chunkCell.slots + lane]!)
      lanes.push(chunk * LANES + lane)
    }
  }
  const placeOf = (lane: number, startOf: (chunk: number) => number) =>
    startOf((lane / LANES) | 0) + (lane & (LANES - 1))
  return {
    slots: Int32Array.from(slots),
    lanes: Int32Array.from(lanes),
    cells: Int32Array.from(lanes, (lane) => placeOf(lane, (chunk) => columnAt(chunk, 0))),
    rings: hasRings ? Int32Array.from(lanes, (lane) => placeOf(lane, (chunk) => memory.ringAt(chunk))) : none,
  }
}
