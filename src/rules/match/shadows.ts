import { columnId, isMissing, type TableMemory } from '../../table/layout.js'
import type { MatchPlan, Shadow } from './plan.js'
import type { MatchState } from './state.js'

/** A shadow, and what it is compared with. */
export interface CastShadow {
  readonly shadow: Shadow
  /** Its place in the state. */
  readonly place: number
  readonly cells: ArrayLike<number>
}

/** Shadows whose column the table has. */
export function shadowsIn({ columns }: TableMemory, { shadows }: MatchPlan): CastShadow[] {
  return shadows.flatMap((shadow, place) => {
    const cells = columns[shadow.column]
    return cells === undefined ? [] : [{ shadow, place, cells }]
  })
}

export function seen(table: TableMemory, { shadow, cells }: CastShadow, slot: number): number {
  if (isMissing(table, slot, columnId[shadow.column])) return Number.NaN
  return shadow.classes?.[cells[slot]!] ?? cells[slot]!
}

/** Keeps what the process has now. */
export function cast(
  table: TableMemory,
  state: MatchState,
  shadows: readonly CastShadow[],
  slot: number,
): void {
  for (const cast of shadows) state.shadows[cast.place]![slot] = seen(table, cast, slot)
}
