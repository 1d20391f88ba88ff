/** A low point between a fall and a rise, and the high point before it, as indices. */
export interface Trough {
  peak: number
  at: number
}

/**
 * Finds the troughs after a fall of at least `turn` that a rise as large follows. A fall that is not over has found
 * no floor yet: its lowest point counts only when it is the only one.
 * @param into is emptied and filled
 * @returns how many falls there were, the one that is not over included
 */
export function findTroughs(
  low: Float64Array,
  high: Float64Array,
  count: number,
  turn: number,
  into?: Trough[],
): number {
  if (into !== undefined) into.length = 0
  let falls = 0
  if (!(turn > 0)) return 0
  let isFalling = false
  let peak = 0
  let at = 0
  for (let i = 1; i < count; i++) {
    if (isFalling) {
      if (low[i]! <= low[at]!) at = i
      else if (high[i]! - low[at]! >= turn) {
        into?.push({ peak, at })
        isFalling = false
        peak = i
      }
    } else if (high[i]! > high[peak]!) peak = i
    else if (high[peak]! - low[i]! >= turn) {
      isFalling = true
      falls++
      at = i
    }
  }
  if (isFalling && into?.length === 0) into.push({ peak, at })
  return falls
}
