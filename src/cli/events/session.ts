import type { Writable } from 'node:stream'
import { ProcmusterError } from '../../public/errors.js'
import { type EventSource, EventStream, type LifecycleEvent } from '../../public/events.js'
import { wordedDuration } from '../../public/text.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail, messageOf } from '../fault.js'
import { ChunkedWriter } from '../output.js'
import { StopSignals } from '../stop_signals.js'
import { colorsFor, escapeForTerminal, safeJson } from '../terminal.js'
import { eventJson, eventLine } from './format.js'
import { type EventsOptions, type RawEventsOptions, readEventsOptions } from './options.js'

type Terminal = Writable & { isTTY?: boolean }

/** `muster events` with what the user gave. */
export async function events(raw: RawEventsOptions): Promise<void> {
  using stop = new StopSignals()
  const faults = new FaultList()
  const options = readEventsOptions(raw, faults)
  faults.throwIfAny()
  process.exitCode = await printEvents(options, stop, process)
}

/** Prints events until a signal, `--count` or `--for`; what is to be known about the whole goes to stderr. */
async function printEvents(
  options: EventsOptions,
  stop: StopSignals,
  { stdout, stderr }: { stdout: Terminal; stderr: Writable },
): Promise<number> {
  await using stream = await open(options)
  requireWhatWasAskedFor(options, stream, stderr)
  const tally = new Tally()
  const writer = new ChunkedWriter(stdout)
  const { source, sourceReason } = stream
  const note = (text: string, data: Readonly<Record<string, unknown>>): void => {
    if (options.json) {
      void writer.write(`${safeJson({ time: new Date().toISOString(), ...data })}\n`)
      void writer.flush()
    } else stderr.write(`muster: ${text}\n`)
  }
  note(`events from ${escapeForTerminal(sourceReason)}`, { type: 'events-start', source, sourceReason })
  const write = options.json ? eventJson : lineWriter(stdout)

  let end: () => void = () => {}
  const ended = new Promise<void>((resolve) => {
    end = () => {
      resolve()
      void stream.close()
    }
  })
  stop.signal.addEventListener('abort', end, { once: true })
  const timer = options.durationMs === undefined ? undefined : setTimeout(end, options.durationMs)
  let flushing: NodeJS.Immediate | undefined
  for await (const event of stream) {
    if (!isWanted(event, options)) continue
    tally.add(event)
    const full = writer.write(`${write(event)}\n`)
    // The kernel's buffer, whose size is bounded and whose losses are counted, is to fill up, not this process.
    if (full !== undefined) await Promise.race([full, ended])
    if (tally.shown >= options.count) break
    // Not a write for each event: thousands can come in a second.
    flushing ??= setImmediate(() => {
      flushing = undefined
      void writer.flush()
    })
  }
  clearTimeout(timer)
  clearImmediate(flushing)
  if (stop.name === 'SIGPIPE') return stop.exitCode!
  const exitCode = stop.exitCode ?? EXIT.ok
  const { lost } = stream
  note(`${tally.text(performance.now())}; ${lostText(lost)}`, {
    ...{ type: 'events-stop', exitCode, ...tally.counts, failed: tally.failed, lost, source, sourceReason },
  })
  // A signal is not kept waiting by a reader that is behind.
  if (stop.name === undefined) await writer.flush()
  return exitCode
}

/** A source asked for by name that is not to be had here is a fault of the flag. */
async function open({ source, types, intervalMs }: EventsOptions): Promise<EventStream> {
  try {
    return await EventStream.open({ source, types, ...(intervalMs === undefined ? {} : { intervalMs }) })
  } catch (error) {
    const code = error instanceof ProcmusterError ? error.code : undefined
    if (source === 'auto' || (code !== 'UNSUPPORTED' && code !== 'ACCESS_DENIED')) throw error
    const exitCode = code === 'ACCESS_DENIED' ? EXIT.permission : EXIT.outOfRange
    fail(
      exitCode,
      `--source ${source}: ${messageOf(error)}; or leave --source out: auto takes what works here`,
    )
  }
}

const KNOWS_SIGNALS: ReadonlySet<EventSource> = new Set(['bpf'])
const KNOWS_CODES: ReadonlySet<EventSource> = new Set(['bpf', 'netlink'])

/** What this source can never tell would be waited for in vain. */
function requireWhatWasAskedFor(
  { failed, types }: EventsOptions,
  { source, sourceReason }: EventStream,
  stderr: Writable,
): void {
  const why = `${source} does not tell (${escapeForTerminal(sourceReason)}; see muster doctor)`
  if (failed && !KNOWS_CODES.has(source)) {
    fail(EXIT.permission, `--failed needs exit codes, which ${why}`)
  }
  if (!types.includes('signal') || KNOWS_SIGNALS.has(source)) return
  if (types.length === 1) fail(EXIT.permission, `--type signal needs signals, which ${why}`)
  // All types is what one gets without asking; only who asked for signals is told that there are none.
  if (types.length < 4) stderr.write(`muster: no signals will be shown: ${why}\n`)
}

function isWanted(event: LifecycleEvent, { types, pids, ppids, name, failed }: EventsOptions): boolean {
  if (event.type === 'lost') return true
  if (!types.includes(event.type)) return false
  if (pids !== undefined && !pids.has(event.pid)) return false
  if (ppids !== undefined && (event.ppid === undefined || !ppids.has(event.ppid))) return false
  if (name !== undefined && !event.name?.includes(name)) return false
  return !failed || isFailure(event)
}

const isFailure = (event: LifecycleEvent): boolean =>
  event.type === 'exit' && (event.signal !== undefined || (event.exitCode ?? 0) !== 0)

function lineWriter(stdout: Terminal): (event: LifecycleEvent) => string {
  const style = { isTTY: stdout.isTTY, colors: colorsFor(stdout) }
  return (event) => eventLine(event, style)
}

const lostText = (lost: number): string => (lost === 0 ? 'none lost' : `${lost} LOST`)

/** What was shown, for the last line. */
class Tally {
  readonly counts = { fork: 0, exec: 0, exit: 0, signal: 0 }
  failed = 0
  readonly #beganAt = performance.now()

  get shown(): number {
    const { fork, exec, exit, signal } = this.counts
    return fork + exec + exit + signal
  }

  add(event: LifecycleEvent): void {
    if (event.type === 'lost') return
    this.counts[event.type]++
    if (isFailure(event)) this.failed++
  }

  text(now: number): string {
    const { fork, exec, exit, signal } = this.counts
    const seconds = wordedDuration(now - this.#beganAt)
    return `${fork} forks, ${exec} execs, ${exit} exits (${this.failed} failed), ${signal} signals in ${seconds}`
  }
}
