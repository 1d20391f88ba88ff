import type { Writable } from 'node:stream'
import {
  type ActionReport,
  type Alert,
  type GovernedBody,
  type OutcomeBody,
  wordedBytes,
  wordedClauses,
  wordedDuration,
} from '../../index.js'
import { clockTime, localDate } from '../quantities.js'
import { type Colors, escapeForTerminal, safeJson, truncate, widthOf } from '../terminal.js'

/** What the watched process of -p used at one look. */
interface Look {
  readonly pid: number
  readonly name: string
  readonly rssBytes: number | undefined
  readonly memoryPercent: number | undefined
  readonly atMs: number
}

/** Where a watch tells what happens. */
export interface Reporter {
  note(text: string, data: Readonly<Record<string, unknown>> & { readonly type: string }): void
  look(look: Look): void
  alert(alert: Alert): void
  action(action: ActionReport): void
  /** A restart was put off, or refused. */
  governed(governed: GovernedBody): void
  /** What became of a restart. */
  outcome(outcome: OutcomeBody): void
  /** Ends a line that is rewritten in place. */
  end(): void
}

/** JSON Lines for other tools. */
export class JsonReporter implements Reporter {
  readonly #out: Writable

  constructor(out: Writable) {
    this.#out = out
  }

  note(_text: string, data: Readonly<Record<string, unknown>> & { readonly type: string }): void {
    this.#write(data, Date.now())
  }

  look(look: Look): void {
    const { rssBytes = null, memoryPercent = null } = look
    this.#write({ type: 'look', ...look, rssBytes, memoryPercent }, look.atMs)
  }

  alert(alert: Alert): void {
    this.#write({ type: 'alert', alert }, alert.resolvedAtMs ?? alert.lastAtMs)
  }

  action(action: ActionReport): void {
    this.#write({ type: 'action', ...action }, action.atMs)
  }

  governed(governed: GovernedBody): void {
    this.#write({ ...governed, untilMs: governed.untilMs ?? null }, Date.now())
  }

  outcome(outcome: OutcomeBody): void {
    this.#write({ ...outcome }, Date.now())
  }

  end(): void {}

  #write(record: Readonly<Record<string, unknown>>, atMs: number): void {
    this.#out.write(`${safeJson({ time: new Date(atMs).toISOString(), ...record })}\n`)
  }
}

type Terminal = Writable & { isTTY?: boolean; columns?: number }
const COLOR_OF = { info: 'cyan', warning: 'yellow', critical: 'red' } as const

/** Lines for a person; on a terminal the look at the one watched process is a line rewritten in place. */
export class TextReporter implements Reporter {
  readonly #out: Terminal
  readonly #colors: Colors
  readonly #everyLook: boolean
  /** Pids that a line was written about. */
  readonly #told = new Set<number>()
  #openLine = false

  constructor(out: Terminal, colors: Colors, { everyLook }: { everyLook: boolean }) {
    this.#out = out
    this.#colors = colors
    this.#everyLook = everyLook
  }

  note(text: string): void {
    this.#line(Date.now(), text)
  }

  look({ pid, name, rssBytes, memoryPercent, atMs }: Look): void {
    const use =
      rssBytes === undefined || memoryPercent === undefined
        ? 'memory could not be read'
        : `${memoryPercent.toFixed(2)} % of memory (${wordedBytes(rssBytes)})`
    const text = `${who({ pid }, name)}  ${use}`
    // A log says once where a process stands, at the start and after a restart; a terminal shows it all the time.
    const isNews = !this.#out.isTTY && !this.#told.has(pid)
    this.#told.add(pid)
    if (this.#everyLook || isNews) this.#line(atMs, text)
    if (this.#everyLook || !this.#out.isTTY) return
    // A line that wraps could not be rewritten.
    const line = truncate(`${clockTime(atMs)}  ${text}`, (widthOf(this.#out) ?? 80) - 1)
    this.#out.write(`\r\u001b[K${this.#colors.dim(line)}`)
    this.#openLine = true
  }

  alert(alert: Alert): void {
    const { green, [COLOR_OF[alert.severity]]: color } = this.#colors
    const subject = alert.identity ? who(alert.identity, alert.name) : escapeForTerminal(alert.name)
    if (alert.identity) this.#told.add(alert.identity.pid)
    if (alert.state === 'resolved') {
      const what = alert.kind === 'breach' ? 'breach' : `alert (${alert.kind})`
      const after = wordedDuration((alert.resolvedAtMs ?? alert.lastAtMs) - alert.atMs)
      this.#line(
        alert.resolvedAtMs ?? alert.lastAtMs,
        `${subject}  ${green(`${what} ended`)} after ${after}: ${alertName(alert)}`,
      )
      return
    }
    const again = alert.repeats > 0 ? ` (again, ${alert.repeats + 1} times in all)` : ''
    const what =
      alert.kind === 'breach'
        ? `${color('breach')} ${escapeForTerminal(wordedClauses(alert.values))}`
        : color(escapeForTerminal(alert.message))
    this.#line(
      alert.lastAtMs,
      `${subject}  ${what}${again}${alert.kind === 'breach' ? `: ${alertName(alert)}` : ''}`,
    )
    for (const line of alert.advice ?? [])
      this.#line(alert.lastAtMs, `${subject}  ${escapeForTerminal(line)}`)
  }

  action(action: ActionReport): void {
    this.#line(action.atMs, `${who(action.identity, action.name)}  ${this.#actionText(action)}`)
  }

  /** A refusal is told as the action that it is. */
  governed({ verdict, bound, reason, untilMs, identity, name }: GovernedBody): void {
    if (verdict === 'refused') return
    const nowMs = Date.now()
    const until = untilMs === undefined ? '' : ` until ${localTime(untilMs, nowMs)}`
    const what = `${this.#colors.yellow(`restart put off${until}`)} (${bound}): ${escapeForTerminal(reason)}`
    this.#line(nowMs, `${who(identity, name)}  ${what}`)
  }

  outcome(outcome: OutcomeBody): void {
    if (outcome.successor === undefined) {
      this.#line(
        Date.now(),
        `${who(outcome.identity, outcome.name)}  ${outcome.endedBy}: ${outcome.reasons?.[0] ?? ''}`,
      )
      return
    }
    const { successor, name, rssBeforeBytes: before, rssAfterBytes: after, observedMs } = outcome
    const { green, yellow } = this.#colors
    const seen = wordedDuration(observedMs)
    const what = outcome.successorGone
      ? yellow(`ended within ${seen} of its restart`)
      : outcome.breachedAgain
        ? yellow(`breached again within ${seen} of its restart`)
        : observedMs === 0
          ? yellow('what came of its restart was not seen')
          : green(`no breach in the ${seen} since its restart`)
    const memory =
      before === undefined || after === undefined
        ? ''
        : `; memory ${wordedBytes(before)} before, ${wordedBytes(after)} now`
    this.#line(Date.now(), `${who(successor, name)}  ${what}${memory}`)
  }

  end(): void {
    if (this.#openLine) this.#out.write('\n')
    this.#openLine = false
  }

  #actionText(action: ActionReport): string {
    const { red, yellow, green } = this.#colors
    const why = escapeForTerminal(action.error?.message ?? action.reason ?? '')
    switch (action.status) {
      case 'done':
        return `${green(DONE_WORDS[action.action] ?? action.action)} ${doneText(action)}${action.recovered ? ' (begun by an earlier run)' : ''}`
      case 'dry-run':
        return yellow(why)
      default:
        return `${red(`${action.action} ${action.status}`)}${why ? `: ${why}` : ''}`
    }
  }

  #line(atMs: number, text: string): void {
    const time = this.#out.isTTY ? clockTime(atMs) : `${localDate(atMs)} ${clockTime(atMs)}`
    this.#out.write(`${this.#openLine ? '\r\u001b[K' : ''}${time}  ${text}\n`)
    this.#openLine = false
  }
}

/** With the date where that is not today's. */
function localTime(atMs: number, nowMs: number): string {
  const date = localDate(atMs)
  return date === localDate(nowMs) ? clockTime(atMs) : `${date} ${clockTime(atMs)}`
}

const who = ({ pid }: { pid: number }, name: string): string => `${pid} ${escapeForTerminal(name)}`
const alertName = (alert: Alert): string => escapeForTerminal(alert.rule)

const DONE_WORDS: Readonly<Record<string, string>> = {
  restart: 'restarted:',
  nudgeParent: 'parent nudged:',
  signal: 'sent',
  priority: 'set',
  limit: 'set',
}

/** What an action that succeeded came to, from the result that the engine gives for it. */
function doneText({ action, result = {}, successor }: ActionReport): string {
  const text = (key: string): string => escapeForTerminal(String(result[key]))
  switch (action) {
    case 'evidence':
      return `in ${text('directory')} (${wordedBytes(Number(result.bytes))})`
    case 'restart': {
      const took = typeof result.exitedInMs === 'number' ? ` after ${wordedDuration(result.exitedInMs)}` : ''
      const ended = result.endedBy === undefined ? '' : `ended by ${text('endedBy')}${took}; `
      return `${ended}the new process is ${successor?.pid ?? '?'}`
    }
    case 'nudgeParent': {
      const { parent, reaped } = result as { parent?: { pid: number; name: string }; reaped?: boolean }
      const whom = `SIGCHLD to ${parent?.pid ?? '?'} ${escapeForTerminal(parent?.name ?? '')}`
      return `${whom}; ${reaped ? 'it was reaped' : 'it was not reaped'}`
    }
    case 'signal':
      return text('signal')
    case 'priority':
      return `nice ${text('nice')}`
    case 'limit': {
      const given = ['soft', 'hard'].filter((kind) => result[kind] !== undefined)
      return `${text('resource')} ${given.map((kind) => `${kind} ${text(kind)}`).join(', ')}`
    }
  }
}
