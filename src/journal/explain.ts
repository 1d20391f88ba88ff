import type { Alert } from '../alerts/alert.js'
import { CALLBACK, type Check, checkHas, checkOptions, listOf } from '../arguments.js'
import { escapeForTerminal } from '../printable.js'
import { parseWhen } from '../rules/language/parse.js'
import { unitOf } from '../rules/language/typing.js'
import { allOperands } from '../rules/language/walk.js'
import { wordedClause, wordedDuration, wordedQuantity } from '../words.js'
import type { ClauseValue, Exclusion, PlannedStep } from './decision_records.js'
import { explainAction } from './explain_action.js'
import type { Trace, TracedDecision, TracedOrigin, TracedRun, TracedSubject } from './trace.js'

export interface ExplainOptions {
  /** How times are written; ISO 8601 by default. */
  readonly time?: (atMs: number) => string
}

/** A line of its own time, or one that belongs to the line before. */
interface ToldLine {
  readonly atMs?: number
  readonly text: string
}

const WANTED = 'one of traceDecisions'
const SUBJECT: Check = (name, value) => checkHas(name, value, ['decisions', 'alerts'], WANTED)

/**
 * Tells a trace in plain words, a line each, fit for a terminal: names that processes chose are escaped. Newest first, what
 * belongs to one breach in the order in which it happened.
 */
export function explainTrace(trace: Trace, options: ExplainOptions = {}): string[] {
  checkHas('the trace', trace, ['query', 'subjects'], WANTED)
  listOf(SUBJECT)('subjects', trace.subjects)
  checkOptions(options, { time: CALLBACK })
  const { time = (atMs) => new Date(atMs).toISOString() } = options
  const { subjects, leftOut, badLines } = trace
  const lines: ToldLine[] = subjects.flatMap((subject, index) => [
    ...(index === 0 ? [] : [{ text: '' }]),
    ...explainSubject(subject, time),
  ])
  if (subjects.length === 0) lines.push(...nothingDecided(trace, time))
  if (leftOut > 0) lines.push({ text: '' }, { text: `${counted(leftOut, 'older decision')} left out` })
  if (badLines > 0) {
    const what = `${counted(badLines, 'line')} of the journal could not be read (torn by a crash, damaged, or of another version)`
    lines.push({ text: '' }, { text: `${what}: something may be missing here` })
  }
  return lines.map(({ atMs, text }) =>
    escapeForTerminal(atMs === undefined ? text : `${time(atMs)}  ${text}`),
  )
}

function explainSubject(subject: TracedSubject, time: (atMs: number) => string): ToldLine[] {
  const { identity, group, name, decisions, alerts, origin } = subject
  const who =
    identity === undefined
      ? `${name}, ${counted(group?.count ?? 0, 'process', 'processes')}`
      : `${JSON.stringify(name)}, pid ${identity.pid} (started at tick ${identity.startTicks})`
  const events = [
    ...decisions.map((decision) => ({ atMs: decision.decision.atMs, lines: explainDecision(decision) })),
    ...alerts.map((alert) => ({ atMs: alert.atMs, lines: explainAlert(alert) })),
  ].sort((a, b) => b.atMs - a.atMs)
  return [
    { text: who },
    ...events.flatMap(({ lines }) => lines),
    ...(origin === undefined ? [] : [explainOrigin(origin)]),
    ...(events.length === 0 ? [{ text: `  nothing was decided about it${sinceWhen(origin, time)}` }] : []),
  ]
}

function sinceWhen(origin: TracedOrigin | undefined, time: (atMs: number) => string): string {
  return origin === undefined ? '' : ` since ${time(origin.atMs)}`
}

function explainOrigin({ identity, rule, decisionId, atMs }: TracedOrigin): ToldLine {
  const how = decisionId === undefined ? '' : ` (\`muster why ${decisionId}\` tells why)`
  return { atMs, text: `started in place of pid ${identity.pid} by rule ${JSON.stringify(rule)}${how}` }
}

/** All lines of a breach: what was seen, decided and done, and how it ended. */
function explainDecision({ decision, alert, actions, notes, end }: TracedDecision): ToldLine[] {
  const { rule, severity, decisionId, atMs, dryRun } = decision
  const alertId = alert === undefined ? '' : `, alert ${alert.id}`
  const after = [
    ...actions.flatMap(explainAction),
    ...notes.map(({ atMs, type, text }) => ({ atMs, text: `  ${type}${text === '' ? '' : `: ${text}`}` })),
    ...explainEnd(end, alert, decision),
  ].sort((a, b) => a.atMs - b.atMs)
  return [
    { atMs, text: `${severity} breach of ${JSON.stringify(rule)} (decision ${decisionId}${alertId})` },
    ...seen(decision).map(indented),
    { text: `    decided: ${plan(decision.steps)}${dryRun ? ' (a dry run: nothing is done)' : ''}` },
    ...(alert?.advice ?? []).map((line) => ({ text: `    advice: ${line}` })),
    ...after,
    ...(end === undefined ? [{ text: `    it lasts, as far as the journal goes${repeatsText(alert)}` }] : []),
  ]
}

/** Shorter is the time that a decision itself took. */
const WORTH_TELLING_MS = 100

function seen({ condition, clauses, excluded, sinceMs, atMs, group }: TracedDecision['decision']): string[] {
  const held = sinceMs === undefined ? 0 : atMs - sinceMs
  const since = held >= WORTH_TELLING_MS ? `, which had held for ${wordedDuration(held)}` : ''
  return [
    `condition: ${condition}${since}`,
    ...clauses.flatMap((clause) => explainClause(clause, excluded)),
    ...(group === undefined ? [] : explainMembers(group)),
    ...excluded.filter(({ what }) => what === 'member').map(explainExclusion),
  ]
}

function explainClause(clause: ClauseValue, excluded: readonly Exclusion[]): string[] {
  const { text, value, truth, samples = [], windowMs } = clause
  const held = truth === undefined ? 'unknown' : truth ? 'yes' : 'no'
  const why = excluded.find(({ what, name }) => what === 'clause' && name === text)
  const found =
    truth === undefined && value === undefined
      ? `${text}: ${WHY_UNKNOWN[why?.why ?? 'unreadable']}`
      : wordedClause(clause)
  return [`${held.padEnd(7)}  ${found}`, ...explainSamples(samples, windowMs, sampleUnit(clause))]
}

/** Samples are of what a window looks at, whose unit need not be the clause's: `timeTo(rss, 2GiB)` is a time. */
function sampleUnit({ text, unit }: ClauseValue): ClauseValue['unit'] {
  try {
    for (const operand of allOperands(parseWhen(text).condition)) {
      if (operand.kind === 'window' || operand.kind === 'timeTo') return unitOf(operand.of)
    }
  } catch {
    // Written by another version.
  }
  return unit
}

function explainSamples(
  samples: readonly { readonly atMs: number; readonly value: number }[],
  windowMs: number | undefined,
  unit: ClauseValue['unit'],
): string[] {
  const [first, last] = [samples[0], samples.at(-1)]
  if (first === undefined || last === undefined) return []
  const over = wordedDuration(windowMs ?? last.atMs - first.atMs)
  const values = samples.map(({ value }) => value)
  const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => wordedQuantity(value, unit))
  const range = `from ${wordedQuantity(first.value, unit)} to ${wordedQuantity(last.value, unit)}`
  const extremes = `at least ${least}, at most ${most}`
  return [`         ${counted(samples.length, 'sample')} over ${over}: ${range}, ${extremes}`]
}

const WHY_UNKNOWN: Readonly<Record<Exclusion['why'], string>> = {
  unreadable: 'its value could not be read',
  window: 'not seen for so long yet, or samples are missing',
  gone: 'the process had ended',
}

function explainMembers({ count, members }: NonNullable<TracedDecision['decision']['group']>): string[] {
  const shown = members.map(({ identity, name }) => `${JSON.stringify(name)} (pid ${identity.pid})`)
  const rest = count > members.length ? ` and ${count - members.length} more` : ''
  return shown.length === 0 ? [] : [`of ${shown.join(', ')}${rest}`]
}

function explainExclusion({ name, pid, why }: Exclusion): string {
  return `left out: ${JSON.stringify(name)}${pid === undefined ? '' : ` (pid ${pid})`}: ${WHY_UNKNOWN[why]}`
}

function plan(steps: readonly PlannedStep[]): string {
  if (steps.length === 0) return 'an alert, no action'
  return steps
    .map(({ action, afterMs }) =>
      afterMs === 0 ? action : `${action} after ${wordedDuration(afterMs)} if it lasts`,
    )
    .join(', ')
}

const ENDED: Readonly<Record<NonNullable<TracedDecision['end']>['cause'], string>> = {
  condition: 'the condition no longer holds',
  gone: 'the process is gone',
  ended: 'the process has ended, or is ending',
  unmatched: 'the rule is not about it any more',
  removed: 'the rule was removed',
  resolved: 'the alert was resolved',
  'engine-stop': 'the watch ended; whether the breach went on is not known',
}

function explainEnd(
  end: TracedDecision['end'],
  alert: Alert | undefined,
  { atMs, group }: TracedDecision['decision'],
) {
  if (end === undefined) return []
  const after = wordedDuration(Math.max(0, end.atMs - atMs))
  const isNobodyLeft = group !== undefined && end.cause === 'gone'
  const why = isNobodyLeft ? 'no process of the group is left' : ENDED[end.cause]
  return [{ atMs: end.atMs, text: `  over after ${after}: ${why}${repeatsText(alert)}` }]
}

function repeatsText(alert: Alert | undefined): string {
  return alert !== undefined && alert.repeats > 0
    ? `; raised ${counted(alert.repeats + 1, 'time')} in all`
    : ''
}

function explainAlert({ atMs, kind, severity, message, id, advice = [] }: Alert): ToldLine[] {
  return [
    { atMs, text: `${severity} alert ${id} (${kind}): ${message}` },
    ...advice.map((line) => ({ text: `    advice: ${line}` })),
  ]
}

function nothingDecided({ query, run }: Trace, time: (atMs: number) => string): ToldLine[] {
  const whom = 'pid' in query ? `pid ${query.pid}` : JSON.stringify(query.id)
  return [{ text: `nothing was decided about ${whom}` }, ...(run === undefined ? [] : watchedThen(run, time))]
}

function watchedThen({ startedAtMs, stoppedAtMs, rules, dryRun }: TracedRun, time: (atMs: number) => string) {
  const until =
    stoppedAtMs === undefined
      ? 'has no end in the journal: it runs, or crashed'
      : `ended ${time(stoppedAtMs)}`
  const head = `the last watch began ${time(startedAtMs)} and ${until}${dryRun ? ' (a dry run)' : ''}; its rules:`
  return [{ text: head }, ...rules.map((rule) => ({ text: `    ${rule}` }))]
}

const counted = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`
const indented = (text: string): ToldLine => ({ text: `    ${text}` })
