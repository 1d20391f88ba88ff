import type { ListedAlert, RequestAnswer, Silence, WaitingRequest } from '../../public/alerts.js'
import type { Alert } from '../../public/journal.js'
import { clockTime, localDate } from '../quantities.js'
import { type Colors, escapeForTerminal } from '../terminal.js'

const COLOR_OF = { info: 'cyan', warning: 'yellow', critical: 'red' } as const

const at = (ms: number): string => `${localDate(ms)} ${clockTime(ms).slice(0, 8)}`

/** One alert on one line, fit for a terminal. */
export function alertLine(alert: ListedAlert, colors: Colors): string {
  const { severity, state, id, rule, message, repeats } = alert
  // Missing in journals of version 0.1.
  const again = repeats > 0 ? ` (${repeats + 1} times, last ${at(alert.lastAtMs)})` : ''
  const over = alert.resolvedAtMs === undefined ? '' : ` until ${at(alert.resolvedAtMs)}`
  const marks = [
    ...(alert.acknowledged === undefined ? [] : [acknowledgedText(alert.acknowledged)]),
    ...(alert.silencedBy === undefined ? [] : [`silenced by ${alert.silencedBy}`]),
  ].map((mark) => ` [${escapeForTerminal(mark)}]`)
  const head = `${at(alert.atMs)}  ${colors[COLOR_OF[severity]](severity.padEnd(8))}  ${state.padEnd(8)}  ${escapeForTerminal(id)}`
  return `${head}  ${escapeForTerminal(`${rule}: ${message}`)}${over}${again}${marks.join('')}`
}

const acknowledgedText = ({ by, note }: NonNullable<Alert['acknowledged']>): string =>
  `acknowledged by ${by}${note === undefined || note === '' ? '' : `: ${note}`}`

/** One silence on one line, fit for a terminal. */
export function silenceLine({ id, match, by, note, untilMs }: Omit<Silence, 'sinceMs'>): string {
  const what = Object.entries(match).map(([key, value]) => `${key} ${JSON.stringify(value)}`)
  const why = note === undefined || note === '' ? '' : `: ${note}`
  return escapeForTerminal(`silence ${id} until ${at(untilMs)} of ${what.join(', ')}, by ${by}${why}`)
}

/** One request that waits, on one line, fit for a terminal. */
export function requestLine({ id, request }: WaitingRequest, isRunning: boolean): string {
  const waits = `waits for ${isRunning ? 'the watch' : 'the next start'}`
  return request.type === 'silence'
    ? `${silenceLine({ ...request, id })} (${waits})`
    : escapeForTerminal(`request ${id} to ${wanted(request)}, by ${request.by} (${waits})`)
}

function wanted(request: Exclude<WaitingRequest['request'], { type: 'silence' }>): string {
  switch (request.type) {
    case 'acknowledge':
      return `acknowledge alert ${request.alertId}`
    case 'unsilence':
      return `end silence ${request.silenceId}`
    case 'resume':
      return `let restarts of rule ${JSON.stringify(request.rule)} go on`
  }
}

/** What an engine has answered. */
export function answerText(answer: RequestAnswer): string {
  switch (answer.type) {
    case 'acknowledged': {
      const { id, rule, message } = answer.alert
      return escapeForTerminal(`acknowledged: alert ${id}, ${rule}: ${message}`)
    }
    case 'silence':
      return silenceLine(answer.silence)
    case 'unsilence':
      return escapeForTerminal(`silence ${answer.silenceId} is ended`)
    case 'resume':
      return escapeForTerminal(`restarts of rule ${JSON.stringify(answer.rule)} go on`)
    case 'request-refused':
      return escapeForTerminal(answer.reason)
  }
}

export function waitingText(id: string, isRunning: boolean): string {
  return isRunning
    ? `request ${id} is left for the watch, which has not answered yet; the journal will say what it did`
    : `no watch runs on this journal: request ${id} takes effect when one is started on it; \`muster unsilence ${id}\` takes it back`
}
