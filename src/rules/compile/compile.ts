import { ProcmusterError } from '../../errors.js'
import { COLUMNS } from '../../table/columns.js'
import { type ColumnName, columnId, type OptionalGroup } from '../../table/layout.js'
import {
  type Comparison,
  type Condition,
  type GroupKind,
  HOST_METRICS,
  type LeakTest,
  type Operand,
  type When,
  type WindowFunction,
} from '../language/ast.js'
import type { NumberFact } from '../match/compile.js'
import { intervalOf, mirrored } from './interval.js'
import {
  AGE_COLUMN,
  type ClausePlan,
  type ColumnInterval,
  type RulePlan,
  type SeriesFamily,
  type SeriesPlan,
  type Signal,
  type Truth,
} from './plan.js'

/** What judging needs of a checked rule. */
interface JudgedRule {
  readonly name: string
  readonly per: GroupKind | undefined
  readonly when: When
  readonly clear: When | undefined
  readonly cooldown?: number | undefined
  readonly target?: 'largest' | 'all' | undefined
}

export interface CompileOptions {
  /** Optional groups of columns that the sampler was opened with. */
  readonly groups: readonly OptionalGroup[]
  /** Bytes of physical memory, for thresholds such as `rss > 80%`. */
  readonly memTotalBytes: number
  /** Usual time between two ticks; windows need no more buckets than there are samples in them. Undefined: not known. */
  readonly intervalMs: number | undefined
}

/** A window is never kept in more parts. */
const MOST_BUCKETS = 60
/** Growth is looked at over six times the span that it has to last, and over an hour at least. */
const TREND_SPANS = 6
const LEAST_TREND_MS = 3_600_000
/** For `timeTo`, which names no span. */
const TIME_TO_SPAN_MS = 600_000

/**
 * Compiles one rule for the threads.
 * @param id tells it from all other rules
 * @throws ProcmusterError INVALID_ARGUMENT for a column of a group that is not sampled
 */
export function compileRule(rule: JudgedRule, id: number, options: CompileOptions): RulePlan {
  return new Compiler(rule, id, options).plan()
}

class Compiler {
  readonly #rule: JudgedRule
  readonly #id: number
  readonly #options: CompileOptions
  readonly #series = new Map<string, SeriesPlan>()
  #ranking: Signal | undefined
  /** Whether what is read now is about groups, and not about each of their members. */
  #ofGroups: boolean

  constructor(rule: JudgedRule, id: number, options: CompileOptions) {
    this.#rule = rule
    this.#id = id
    this.#options = options
    this.#ofGroups = rule.per !== undefined
  }

  plan(): RulePlan {
    const { when, clear, cooldown, per, target } = this.#rule
    const clauses: ClausePlan[] = []
    const condition = this.#condition(when.condition, clauses)
    return {
      condition,
      conjunction: conjunctionOf(condition),
      forMs: when.forMs,
      clear: clear && { condition: this.#condition(clear.condition, []), forMs: clear.forMs },
      cooldownMs: cooldown ?? -1,
      per,
      keyFact: keyFactOf(per),
      clauses,
      series: [...this.#series.values()].sort((a, b) => a.level - b.level),
      ranking: this.#ranking,
      tellsAll: target === 'all',
    }
  }

  #condition(condition: Condition, clauses: ClausePlan[]): Truth {
    switch (condition.kind) {
      case 'and':
      case 'or':
        return { kind: condition.kind, parts: condition.parts.map((part) => this.#condition(part, clauses)) }
      case 'not':
        return { kind: 'not', part: this.#condition(condition.part, clauses) }
      case 'leak':
        return this.#leak(condition, clauses)
      case 'compare':
        return this.#comparison(condition, clauses)
    }
  }

  #leak({ of, spanMs }: LeakTest, clauses: ClausePlan[]): Truth {
    const series = this.#trend(of, spanMs)
    const truth: Truth = { kind: 'leak', series }
    clauses.push({ truth, left: this.#signal(of), right: undefined, series })
    return truth
  }

  #comparison({ op, left, right }: Comparison, clauses: ClausePlan[]): Truth {
    const a = this.#signal(left)
    const b = this.#signal(right)
    let truth: Truth
    if (b.kind === 'constant') truth = { kind: 'interval', of: a, ...intervalOf(op, b.value) }
    else if (a.kind === 'constant') truth = { kind: 'interval', of: b, ...intervalOf(mirrored(op), a.value) }
    else if (op === '<' || op === '<=')
      truth = { kind: 'compare', op: op === '<' ? '>' : '>=', left: b, right: a }
    else truth = { kind: 'compare', op, left: a, right: b }
    const series = a.kind === 'series' || a.kind === 'timeTo' ? a.series : undefined
    clauses.push({ truth, left: a, right: b, series })
    return truth
  }

  #signal(operand: Operand): Signal {
    switch (operand.kind) {
      case 'constant':
        return { kind: 'constant', value: operand.value }
      case 'memoryShare':
        return { kind: 'constant', value: (operand.percent / 100) * this.#options.memTotalBytes }
      case 'state':
        return { kind: 'constant', value: operand.letter.charCodeAt(0) }
      case 'column':
        return { kind: 'column', column: this.#column(operand.column) }
      case 'limit':
        return { kind: 'fact', fact: { kind: 'limit', resource: operand.resource } }
      case 'host':
        return { kind: 'host', metric: HOST_METRICS.indexOf(operand.metric) }
      case 'age':
        return { kind: 'age' }
      case 'stateSeconds':
        return this.#stateSeconds(operand.states)
      case 'arithmetic':
        return folded(operand.op, this.#signal(operand.left), this.#signal(operand.right))
      case 'window': {
        const series = this.#window(familyOf(operand.fn), this.#signal(operand.of), operand.windowMs)
        return { kind: 'series', series, read: operand.fn }
      }
      case 'timeTo': {
        const series = this.#trend(operand.of, TIME_TO_SPAN_MS)
        return { kind: 'timeTo', series, limit: this.#signal(operand.limit) }
      }
      case 'aggregate': {
        this.#ofGroups = false
        const of = this.#signal(operand.of)
        this.#ofGroups = true
        this.#ranking ??= of
        return { kind: 'aggregate', fn: operand.fn, of }
      }
      case 'count':
        return { kind: 'count' }
      case 'exitRate': {
        const series = this.#window('sum', { kind: 'exits' }, operand.windowMs)
        return { kind: 'series', series, read: 'perSecond' }
      }
    }
  }

  #column(name: ColumnName): number {
    const { group } = COLUMNS[columnId[name]]!
    if (group !== 'table' && !this.#options.groups.includes(group)) {
      throw new ProcmusterError('INVALID_ARGUMENT', {
        message: `rule ${JSON.stringify(this.#rule.name)}: ${name} is not sampled; open the sampler with groups: ['${group}']`,
      })
    }
    return columnId[name]
  }

  #window(family: SeriesFamily, of: Signal, windowMs: number): string {
    const { intervalMs = 0 } = this.#options
    const buckets = Math.min(MOST_BUCKETS, Math.max(1, Math.ceil(windowMs / Math.max(intervalMs, 1))))
    return this.#follow(family, of, { windowMs, buckets, bucketMs: windowMs / buckets })
  }

  #trend(operand: Operand, spanMs: number): string {
    const windowMs = Math.max(TREND_SPANS * spanMs, LEAST_TREND_MS)
    return this.#follow('trend', this.#signal(operand), { windowMs, buckets: 0, bucketMs: spanMs })
  }

  #stateSeconds(letters: string): Signal {
    const states = [...new Set(letters)].sort().map((letter) => letter.charCodeAt(0))
    const of: Signal = { kind: 'column', column: columnId.state }
    const series = this.#follow('since', of, { windowMs: 0, buckets: 0, bucketMs: 0, states })
    return { kind: 'series', series, read: 'seconds' }
  }

  #follow(
    family: SeriesFamily,
    of: Signal,
    shape: Pick<SeriesPlan, 'windowMs' | 'buckets' | 'bucketMs'> & { states?: readonly number[] },
  ): string {
    const ofGroups = this.#ofGroups
    const plan = { family, of, ofGroups, states: [], ...shape }
    // Groups are a rule's own: another rule has other members.
    const key = JSON.stringify(ofGroups ? [plan, this.#id] : plan)
    if (!this.#series.has(key)) this.#series.set(key, { ...plan, key, level: this.#levelOf(of) })
    return key
  }

  #levelOf(signal: Signal): number {
    switch (signal.kind) {
      case 'series':
        return this.#series.get(signal.series)!.level + 1
      case 'timeTo':
        return Math.max(this.#series.get(signal.series)!.level + 1, this.#levelOf(signal.limit))
      case 'arithmetic':
        return Math.max(this.#levelOf(signal.left), this.#levelOf(signal.right))
      case 'aggregate':
        return this.#levelOf(signal.of)
      default:
        return 0
    }
  }
}

function familyOf(fn: WindowFunction): SeriesFamily {
  switch (fn) {
    case 'avg':
      return 'sum'
    case 'min':
    case 'max':
      return fn
    case 'delta':
    case 'rate':
      return 'first'
    default:
      return 'last'
  }
}

/** Reckons with constants once. What comes to no number stays as it is, and is unknown. */
function folded(op: '+' | '-' | '*' | '/', left: Signal, right: Signal): Signal {
  if (left.kind === 'constant' && right.kind === 'constant') {
    const value = reckon(op, left.value, right.value)
    if (Number.isFinite(value)) return { kind: 'constant', value }
  }
  return { kind: 'arithmetic', op, left, right }
}

/** Division by zero is unknown, not infinite: `openFiles / limit` says nothing where there is no limit to speak of. */
export function reckon(op: '+' | '-' | '*' | '/', left: number, right: number): number {
  switch (op) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '/':
      return right === 0 ? Number.NaN : left / right
  }
}

function conjunctionOf(truth: Truth): ColumnInterval[] | undefined {
  const parts = truth.kind === 'and' ? truth.parts : [truth]
  const clauses: ColumnInterval[] = []
  for (const part of parts) {
    if (part.kind !== 'interval') return undefined
    const { of, low, high, outside } = part
    if (of.kind === 'age') clauses.push({ column: AGE_COLUMN, isFloat: true, low, high, outside })
    else if (of.kind !== 'column') return undefined
    else
      clauses.push({ column: of.column, isFloat: COLUMNS[of.column]!.type === 'Float64', low, high, outside })
  }
  return clauses
}

function keyFactOf(per: GroupKind | undefined): NumberFact | undefined {
  return per === 'unit' || per === 'cgroup' || per === 'container' || per === 'program'
    ? { kind: 'groupKey', of: per }
    : undefined
}
