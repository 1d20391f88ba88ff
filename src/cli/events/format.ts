import type { ExitEvent, LifecycleEvent, SignalSender } from '../../public/events.js'
import { wordedBytes } from '../../public/text.js'
import { clockTime, fineDuration, localDate } from '../quantities.js'
import { type Colors, escapeForTerminal, safeJson } from '../terminal.js'

/** One event as a line for a person. */
export function eventLine(event: LifecycleEvent, { isTTY = false, colors }: LineStyle): string {
  const time = isTTY ? clockTime(event.atMs) : `${localDate(event.atMs)} ${clockTime(event.atMs)}`
  if (event.type === 'lost') {
    const text = `LOST ${event.count} events here: the reader did not keep up`
    return `${time}  ${colors.bold(colors.red(text))}`
  }
  const { type, pid, ppid, name } = event
  const who = `${String(pid).padStart(7)}  ${escapeForTerminal(name ?? '-').padEnd(15)}`
  const words = [
    `${type.padEnd(6)} ${who}  parent ${String(ppid ?? '-').padStart(7)}`,
    ...details(event, colors),
  ]
  return `${time}  ${words.join('  ').trimEnd()}`
}

interface LineStyle {
  /** Today is known there: only the time of day is written. */
  readonly isTTY?: boolean | undefined
  readonly colors: Colors
}

/** One event as JSON on one line; what the source cannot know is null. */
export function eventJson(event: LifecycleEvent): string {
  const nulls = Object.entries(event).map(([key, value]) => [key, value ?? null])
  return safeJson({ time: new Date(event.atMs).toISOString(), ...Object.fromEntries(nulls) })
}

function details(event: Exclude<LifecycleEvent, { type: 'lost' }>, colors: Colors): string[] {
  switch (event.type) {
    case 'fork':
    case 'exec':
      return []
    case 'signal':
      return [colors.yellow(event.signal), senderText(event.sender)]
    case 'exit':
      return exitDetails(event, colors)
  }
}

function exitDetails(event: ExitEvent, colors: Colors): string[] {
  const { cpuTimeNs, peakRssBytes, readBytes, writeBytes, lifetimeMs } = event
  const amount = (word: string, value: number | undefined, write: (value: number) => string): string[] =>
    value === undefined ? [] : [`${word} ${write(value)}`]
  return [
    howItEnded(event, colors),
    ...amount('lived', lifetimeMs, fineDuration),
    ...amount('cpu', cpuTimeNs, (ns) => fineDuration(ns / 1e6)),
    ...amount('peak', peakRssBytes || undefined, wordedBytes), // a kernel thread has no memory of its own
    ...amount('read', readBytes || undefined, wordedBytes),
    ...amount('written', writeBytes || undefined, wordedBytes),
  ]
}

/** `code 3`, `SIGKILL from 12 bash`; `ended` where the source does not know. */
export function howItEnded(event: ExitEvent, colors: Colors): string {
  const { exitCode, signal, coreDumped, oomKilled, sender } = event
  if (signal !== undefined) {
    const by = oomKilled === true ? 'out of memory' : senderText(sender)
    return `${colors.red(signal)}${by && ` ${by}`}${coreDumped === true ? ', core dumped' : ''}`
  }
  if (exitCode === undefined) return 'ended'
  return exitCode === 0 ? 'code 0' : colors.red(`code ${exitCode}`)
}

const senderText = (sender: SignalSender | undefined): string =>
  sender === undefined ? '' : `from ${sender.pid} ${escapeForTerminal(sender.name)}`
