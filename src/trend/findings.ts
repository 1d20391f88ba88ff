export interface GrowthOptions {
  readonly minSpanMs: number
  readonly minGrowth: number
}

/** What growth has to be to be called a leak; the weakest one is told as the reason. */
export type Criterion =
  /** Large beside the level. */
  | 'size'
  /** Seen for long enough. */
  | 'span'
  /** In every part of the time. */
  | 'parts'
  /** Still going on. */
  | 'end'
  /** Not in one step. */
  | 'jump'
  /** Not slowing down. */
  | 'fade'
  /** Large beside what was given back meanwhile. */
  | 'noise'
  /** Large beside what was given back before. */
  | 'wander'
  /** To a level not seen before. */
  | 'record'
  /** Through enough cycles. */
  | 'cycles'

/** What was found about the growth since an onset. */
export class Findings {
  /** The least of all criteria as a multiple of what it has to be: a leak from 1 on. */
  score = Number.POSITIVE_INFINITY
  weakest: Criterion = 'span'
  /** Growing now: large enough, and still going on. */
  isGrowing = true

  constructor(
    /** Index of the floor at which it begins. */
    readonly onset: number,
    /** From the onset to the end. */
    readonly rise: number,
    /** At the onset. */
    readonly level: number,
    readonly spanMs: number,
  ) {}

  need(criterion: Criterion, value: number): void {
    if (value < this.score || Number.isNaN(value)) {
      this.score = Number.isNaN(value) ? 0 : value
      this.weakest = criterion
    }
    if ((criterion === 'size' || criterion === 'end') && !(value >= 1)) this.isGrowing = false
  }

  get isLeak(): boolean {
    return this.score >= 1
  }
}
