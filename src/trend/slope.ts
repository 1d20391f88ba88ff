/** Slope of a line through points, and the limits that hold it with 95 % confidence; all per ms. */
interface Slope {
  perMs: number
  low: number
  high: number
}

/** More would cost time by their square. */
const MOST = 28
const slopes = new Float64Array((MOST * (MOST - 1)) / 2)
const chosenTimes = new Float64Array(MOST)
const chosenValues = new Float64Array(MOST)

/**
 * Theil and Sen's slope: the median of the slopes of all pairs, which no third of outliers can move; limits after
 * Sen. Of more than 28 points, that many at equal distances are taken. Neighbours that go the same way tell less than
 * independent ones: the limits are widened by the correlation of the residuals.
 */
export function theilSen(timesMs: Float64Array, values: Float64Array, from: number, to: number): Slope {
  const count = Math.min(to - from, MOST)
  for (let i = 0; i < count; i++) {
    const at = count < 2 ? from : from + Math.round((i * (to - from - 1)) / (count - 1))
    chosenTimes[i] = timesMs[at]!
    chosenValues[i] = values[at]!
  }
  let pairs = 0
  for (let i = 0; i < count; i++) {
    for (let j = i + 1; j < count; j++) {
      const ms = chosenTimes[j]! - chosenTimes[i]!
      if (ms > 0) slopes[pairs++] = (chosenValues[j]! - chosenValues[i]!) / ms
    }
  }
  if (pairs === 0) return { perMs: 0, low: 0, high: 0 }
  const sorted = slopes.subarray(0, pairs).sort()
  const perMs = (sorted[(pairs - 1) >> 1]! + sorted[pairs >> 1]!) / 2
  const spread = Math.sqrt((count * (count - 1) * (2 * count + 5)) / 18) * 1.96 * inflation(count, perMs)
  const low = Math.max(0, Math.floor((pairs - spread) / 2))
  const high = Math.min(pairs - 1, Math.ceil((pairs + spread) / 2))
  return { perMs, low: sorted[low]!, high: sorted[high]! }
}

/** By how much fewer the independent points are, as a factor of the standard error. */
function inflation(count: number, perMs: number): number {
  let mean = 0
  for (let i = 0; i < count; i++) mean += (chosenValues[i]! - perMs * chosenTimes[i]!) / count
  let product = 0
  let square = 0
  let before = 0
  for (let i = 0; i < count; i++) {
    const residual = chosenValues[i]! - perMs * chosenTimes[i]! - mean
    if (i > 0) product += residual * before
    square += residual * residual
    before = residual
  }
  const correlation = square > 0 ? Math.min(0.95, Math.max(0, product / square)) : 0
  return Math.sqrt((1 + correlation) / (1 - correlation))
}
