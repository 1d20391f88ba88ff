export interface BackoffOptions {
  readonly firstMs: number
  readonly maxMs: number
}

/** Wait before attempt `attempts + 1`: doubles with each attempt up to the maximum. */
export function backoffMs(attempts: number, { firstMs, maxMs }: BackoffOptions): number {
  return attempts === 0 ? 0 : Math.min(maxMs, firstMs * 2 ** (attempts - 1))
}
