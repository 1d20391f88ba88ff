import { wordedBytes, wordedDuration } from '../words.js'
import type { TracedAction } from './trace.js'

interface TimedLine {
  readonly atMs: number
  readonly text: string
}
type Done = NonNullable<TracedAction['done']>
type Outcome = NonNullable<TracedAction['outcome']>

/** What was done and what became of it, a line for each moment. */
export function explainAction(traced: TracedAction): TimedLine[] {
  const { action, actionId, begunAtMs, done, outcome, steps } = traced
  const lines: TimedLine[] = []
  const what = `${action}${parametersText(traced)}`
  const begun = begunAtMs ?? done?.atMs
  if (begun === undefined) return []
  if (begunAtMs !== undefined && (done === undefined || done.atMs - begunAtMs >= 1000 || steps.length > 0)) {
    lines.push({ atMs: begunAtMs, text: `  ${what} begun (${actionId})` })
  }
  for (const { step, atMs, endedBy, tookMs, child } of steps) {
    if (step === 'exited' && endedBy !== undefined) {
      const took = tookMs === undefined ? '' : ` in ${wordedDuration(tookMs)}`
      lines.push({ atMs, text: `    it ended by ${endedBy}${took}` })
    } else if (step === 'ready' && child !== undefined) {
      lines.push({ atMs, text: `    pid ${child.pid} is there to take its place` })
    }
  }
  if (done === undefined) {
    const last = steps.at(-1)?.atMs ?? begun
    lines.push({ atMs: last, text: `  ${action}: not over, as far as the journal goes` })
  } else {
    lines.push({ atMs: done.atMs, text: `  ${what} ${doneText(done)}` })
  }
  if (outcome !== undefined) lines.push({ atMs: outcome.atMs, text: `  ${outcomeText(outcome)}` })
  return lines
}

function parametersText({ parameters }: TracedAction): string {
  const parts = Object.entries(parameters)
    .filter(([key, value]) => key !== 'afterMs' && value !== undefined && value !== null)
    .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}

function doneText(done: Done): string {
  const why = done.error?.message ?? done.reason
  const because = why === undefined ? '' : `: ${why}`
  const recovered = done.recovered === true ? ' by a later run' : ''
  if (done.status === 'dry-run') return `not done${because}`
  if (done.status !== 'done') return `${done.status}${recovered}${because}`
  return `done${recovered}${resultText(done)}`
}

function resultText({ action, result = {}, successor, reason }: Done): string {
  switch (action) {
    case 'evidence':
      return ` in ${String(result.directory)} (${sizeText(result.bytes)}, ${String(result.files)} files)`
    case 'restart': {
      const took = durationText(' in ', result.exitedInMs)
      const ended = result.endedBy === undefined ? '' : `, ended by ${String(result.endedBy)}${took}`
      const attempts = Number(result.startAttempts ?? 1)
      const tries = attempts > 1 ? ` at attempt ${attempts}` : ''
      const place = successor === undefined ? '' : `; pid ${successor.pid} took its place${tries}`
      return `${ended}${place}${warningsText(result.warnings)}`
    }
    case 'nudgeParent': {
      const { parent, reaped, tookMs } = result as {
        readonly parent?: { readonly pid: number; readonly name: string } | null
        readonly reaped?: boolean
        readonly tookMs?: unknown
      }
      const whom = !parent ? '' : `: SIGCHLD to ${JSON.stringify(parent.name)} (pid ${parent.pid})`
      const came = reaped === true ? 'it was reaped' : 'it was not reaped'
      return `${whom}; ${came}${durationText(' within ', tookMs)}`
    }
    default:
      return reason === undefined ? '' : `: ${reason}`
  }
}

/** Nobody has looked at what is in the result of an action. */
const durationText = (before: string, ms: unknown): string =>
  typeof ms === 'number' ? before + wordedDuration(ms) : ''
const sizeText = (bytes: unknown): string => (typeof bytes === 'number' ? wordedBytes(bytes) : 'size unknown')

function warningsText(warnings: unknown): string {
  return Array.isArray(warnings) && warnings.length > 0 ? `; lacking: ${warnings.join('; ')}` : ''
}

function outcomeText(outcome: Outcome): string {
  const { action, successor, breachedAgain, successorGone, rssBeforeBytes, rssAfterBytes } = outcome
  const { observedMs, exitedInMs } = outcome
  const seen = wordedDuration(observedMs)
  if (action === 'signal') {
    const ended = exitedInMs === undefined ? undefined : wordedDuration(exitedInMs)
    return `outcome: ${ended === undefined ? `it had not ended after ${seen}` : `it ended within ${ended}`}`
  }
  const fate = successorGone
    ? `it ended within ${seen}`
    : breachedAgain
      ? `it breached again within ${seen}${successor === undefined ? '' : ` (\`muster why ${successor.pid}\` tells)`}`
      : observedMs === 0
        ? 'what came of it was not seen'
        : `no breach in the ${seen} since`
  const whose = successor === undefined ? '' : ` of pid ${successor.pid}`
  return `outcome${whose}: ${memoryText(rssBeforeBytes, rssAfterBytes)}; ${fate}`
}

/** What memory a restart gave back. */
function memoryText(before: number | undefined, after: number | undefined): string {
  if (before === undefined || after === undefined) return 'what memory came back is not known'
  const sizes = `${wordedBytes(before)} before, ${wordedBytes(after)} after`
  const share = Math.round((100 * (before - after)) / before)
  if (share < 10) return `memory did not come back: ${sizes}`
  return `${share < 50 ? 'some memory' : 'memory'} came back: ${sizes} (${share} % less)`
}
