/** What a restart brought; `unknown` when that could not be seen, or it is too early to say. */
export type Relief = boolean | 'unknown'

interface Judged {
  readonly successor: string
  relief: Relief | 'pending'
}

/** Restarts of a rule that are remembered for want of a judgement; past that the oldest count no more. */
const KEPT = 256

/**
 * What the restarts of one rule brought, over all its processes, in the order in which they were done. That order is
 * needed: a restart that is of no use shows at once, one that helps only when its time is over, so that in the
 * order of judgement a few bad ones among many good ones would come first, all in a row.
 */
export class ReliefLedger {
  #restarts: Judged[] = []

  restarted(successor: string): void {
    this.#restarts.push({ successor, relief: 'pending' })
    if (this.#restarts.length > KEPT) this.#restarts.shift()
  }

  judged(successor: string, relief: Relief): void {
    const found = this.#restarts.findLast((restart) => restart.successor === successor)
    if (found !== undefined) found.relief = relief
  }

  /** The longest run of restarts without relief; one of which nothing is known is passed over, one still followed ends it. */
  get longestRun(): number {
    let longest = 0
    let run = 0
    for (const { relief } of this.#restarts) {
      if (relief === 'unknown') continue
      run = relief === false ? run + 1 : 0
      longest = Math.max(longest, run)
    }
    return longest
  }

  clear(): void {
    this.#restarts = []
  }
}
