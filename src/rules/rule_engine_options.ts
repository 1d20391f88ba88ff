import { availableParallelism } from 'node:os'
import {
  BYTES,
  CALLBACK,
  type Checks,
  checkOptions,
  ELSEWHERE,
  listOf,
  MILLISECONDS,
  NUMBER,
  TEXT,
  wholeWithin,
} from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import type { OptionalGroup } from '../table/layout.js'
import type { GroupKind } from './language/ast.js'
import type { ReadFacts } from './match/facts.js'
import type { Rule } from './schema/rule.js'

/** Options of `RuleEngine.open`. */
export interface RuleEngineOptions {
  rules: readonly Rule[]
  /** Optional groups of columns that the sampler was opened with; `groupsNeeded` of the rules tells which it should be. */
  groups?: readonly OptionalGroup[]
  /** Bytes of physical memory; needed for thresholds such as `rss > 80%`. */
  memTotalBytes?: number
  /** Threads, 1 to 16, that the rules are divided among; by default two, or one where that would leave none to others. */
  workers?: number
  /**
   * Usual time between two ticks. A gap of more than 2.5 of them and a second was not seen (the engine was stopped, the host
   * suspended): one interval of it counts for a `for`, and windows that have a hole of half their length begin anew. Without it
   * every gap counts.
   */
  intervalMs?: number
  /** Bytes that windows, trends and times may take, all together; beyond, series are refused, and their clauses unknown. 512 MiB. */
  maxMemoryBytes?: number
  /** Needed when a rule asks for more than the table has, as a command line; called beside the ticks, for new processes. */
  readFacts?: ReadFacts
  /** What restarts are limited by where a rule's own `limits.perGroup` does not say: `groupOf` knows it too then. */
  perGroup?: GroupKind
  /** The uid of a user's name; by default as /etc/passwd and the name services have it when rules are read. */
  uidOf?: (user: string) => number | undefined
  /** A tick that takes longer fails with `TIMEOUT`. 10,000 by default. */
  timeLimitMs?: number
  /** Called with what went wrong beside the ticks. */
  onWarning?: (error: unknown) => void
}

const MAX_MEMORY_BYTES = 512 * 2 ** 20
const TIME_LIMIT_MS = 10_000

/** As they were given, and what holds where nothing was. */
export type RuleEngineSettings = RuleEngineOptions &
  Required<Pick<RuleEngineOptions, 'workers' | 'maxMemoryBytes' | 'timeLimitMs' | 'onWarning'>>

const CHECKS: Checks<RuleEngineOptions> = {
  rules: ELSEWHERE,
  groups: listOf(TEXT),
  memTotalBytes: BYTES,
  workers: wholeWithin(1, 16),
  intervalMs: NUMBER,
  maxMemoryBytes: NUMBER,
  readFacts: CALLBACK,
  perGroup: TEXT,
  uidOf: CALLBACK,
  timeLimitMs: MILLISECONDS,
  onWarning: CALLBACK,
}

/** @throws ProcmusterError INVALID_ARGUMENT that names the option and its value */
export function checkRuleEngineOptions(options: RuleEngineOptions): RuleEngineSettings {
  checkOptions(options, CHECKS)
  const { workers = defaultWorkers(), intervalMs = 1, maxMemoryBytes = MAX_MEMORY_BYTES } = options
  if (!(intervalMs > 0 && Number.isFinite(intervalMs))) {
    throw invalid(`intervalMs is ${intervalMs}; give milliseconds over 0`)
  }
  if (!(maxMemoryBytes >= 2 ** 20)) throw invalid(`maxMemoryBytes is ${maxMemoryBytes}; give at least 1 MiB`)
  const { timeLimitMs = TIME_LIMIT_MS, onWarning = () => {} } = options
  return { ...options, workers, maxMemoryBytes, timeLimitMs, onWarning }
}

// Measured: one thread judges 100 rules over 60,000 processes in 10 ms; on two cores a second only takes the main thread's.
function defaultWorkers(): number {
  return availableParallelism() > 2 ? 2 : 1
}

function invalid(message: string): ProcmusterError {
  return new ProcmusterError('INVALID_ARGUMENT', { message })
}
