import pc from 'picocolors'
import { expect, test } from 'vitest'
import { eventJson, eventLine } from '../../dist/cli/events/format.js'
import type { ExitEvent, LifecycleEvent } from '../../dist/index.js'

const who = { pid: 42, startTicks: 7, pidfsInode: undefined, ppid: 1, name: 'job', atMs: 1_700_000_000_123 }
const exit: ExitEvent = {
  ...{ type: 'exit', ...who, exitCode: 0, signal: undefined, coreDumped: false, oomKilled: false },
  ...{ sender: undefined, cpuTimeNs: 4_900_000, peakRssBytes: 2 ** 20, readBytes: 0, writeBytes: 4096 },
  lifetimeMs: 5,
}
const killed: ExitEvent = { ...exit, exitCode: undefined, signal: 'SIGKILL' }
const unknown: ExitEvent = {
  ...{ ...exit, exitCode: undefined, coreDumped: undefined, oomKilled: undefined, cpuTimeNs: undefined },
  ...{ peakRssBytes: undefined, readBytes: undefined, writeBytes: undefined, lifetimeMs: undefined },
}

test.each<[LifecycleEvent, RegExp]>([
  [{ type: 'fork', ...who }, /^fork +42 {2}job +parent +1$/],
  [{ type: 'exec', ...who, ppid: undefined, name: undefined }, /^exec +42 {2}- +parent +-$/],
  [
    exit,
    /^exit +42 {2}job +parent +1 {2}code 0 {2}lived 5 ms {2}cpu 4\.9 ms {2}peak 1 MiB {2}written 4 KiB$/,
  ],
  [{ ...exit, exitCode: 3 }, / code 3 /],
  [{ ...killed, sender: { pid: 9, name: 'a\nb' } }, / SIGKILL from 9 a\\nb {2}lived /],
  [{ ...killed, oomKilled: true }, / SIGKILL out of memory {2}/],
  [{ ...killed, signal: 'SIGSEGV', coreDumped: true }, / SIGSEGV, core dumped {2}/],
  [unknown, /^exit +42 {2}job +parent +1 {2}ended$/],
  [
    { type: 'signal', ...who, signal: 'SIGTERM', sender: { pid: 9, name: 'init' } },
    / SIGTERM {2}from 9 init$/,
  ],
  [{ type: 'signal', ...who, signal: 'SIGSEGV', sender: undefined }, / SIGSEGV$/],
  [{ type: 'lost', count: 1234, atMs: who.atMs }, /^LOST 1234 events here: the reader did not keep up$/],
])('%o as a line', (event, line) => {
  const plain = pc.createColors(false)
  const [, text] = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.123 {2}(.*)$/.exec(eventLine(event, { colors: plain }))!
  expect(text).toMatch(line)
  const onTerminal = eventLine(event, { colors: plain, isTTY: true })
  expect(onTerminal).toMatch(/^\d\d:\d\d:\d\d\.123 {2}/)
})

test('a loss is shown in bold red', () => {
  const line = eventLine({ type: 'lost', count: 5, atMs: who.atMs }, { colors: pc.createColors(true) })
  expect(line).toContain('\u001b[1m\u001b[31mLOST 5 events')
})

test('JSON has every key of an event, with null for what is not known', () => {
  const record = JSON.parse(eventJson(unknown)) as Record<string, unknown>
  expect(Object.keys(record).sort()).toEqual(['time', ...Object.keys(unknown)].sort())
  expect(record).toMatchObject({
    time: '2023-11-14T22:13:20.123Z',
    exitCode: null,
    sender: null,
    cpuTimeNs: null,
  })
})
