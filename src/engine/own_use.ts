import type { JournalBody } from '../journal/records.js'
import type { EngineStats } from './events.js'
import type { Ticker } from './ticker.js'

/** What one tick took, in milliseconds. */
interface TickTimes {
  readonly sampleMs: number
  readonly judgeMs: number
  readonly totalMs: number
}

/** What an engine costs the host: kept for `engine.stats`, and noted in the journal now and then. */
export class OwnUse {
  readonly #ticker: Ticker
  readonly #intervalMs: number
  readonly #note: (body: JournalBody) => void
  #nextNoteAt = 0
  #failedTicks = 0
  #processes = 0
  #times: TickTimes = { sampleMs: 0, judgeMs: 0, totalMs: 0 }

  constructor(ticker: Ticker, intervalMs: number, note: (body: JournalBody) => void) {
    this.#ticker = ticker
    this.#intervalMs = intervalMs
    this.#note = note
  }

  ticked(processes: number, times: TickTimes, nowMs: number): void {
    this.#processes = processes
    this.#times = times
    if (nowMs < this.#nextNoteAt) return
    this.#nextNoteAt = nowMs + this.#intervalMs
    this.note()
  }

  tickFailed(): void {
    this.#failedTicks++
  }

  note(): void {
    const { userCpuMs, systemCpuMs, rssBytes, ticks, missedTicks } = this.stats
    this.#note({ type: 'self', userCpuMs, systemCpuMs, rssBytes, ticks, missedTicks })
  }

  get stats(): Omit<EngineStats, 'sampler' | 'lifecycle' | 'notifiers'> {
    const { userCPUTime, systemCPUTime } = process.resourceUsage()
    return {
      ticks: this.#ticker.ticks,
      missedTicks: this.#ticker.missed,
      failedTicks: this.#failedTicks,
      latenessMs: this.#ticker.latenessMs,
      maxLatenessMs: this.#ticker.maxLatenessMs,
      sampleMs: this.#times.sampleMs,
      judgeMs: this.#times.judgeMs,
      tickMs: this.#times.totalMs,
      processes: this.#processes,
      userCpuMs: userCPUTime / 1000,
      systemCpuMs: systemCPUTime / 1000,
      rssBytes: process.memoryUsage.rss(),
    }
  }
}
