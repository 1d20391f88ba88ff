// Real programs with known courses of memory, read from statm and judged. A minute of theirs stands for
// half an hour of a service, so that growth has to be seen for a quarter of the record instead of a quarter of an
// hour.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { analyzeTrend } from '../../dist/index.js'
import { program } from '../programs.mjs'

const collected = fileURLToPath(new URL('collected.mjs', import.meta.url))
const PROGRAMS = [
  { name: 'C, steady', leaks: false, c: 'steady' },
  { name: 'C, malloc and free of all sizes', leaks: false, c: 'walk' },
  { name: 'C, leak', leaks: true, c: 'leak' },
  { name: 'C, leak in steps', leaks: true, c: 'steps' },
  { name: 'Node.js, garbage only', leaks: false, node: 'garbage' },
  { name: 'Node.js, leak under garbage', leaks: true, node: 'leak' },
  { name: 'Node.js, cache that fills', leaks: false, node: 'cache' },
]
const SAMPLES = 720

const PAGE = 4096

/** NaN when the process is gone. */
function rssOf(pid) {
  try {
    // proc_pid_statm(5) field 2
    return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * PAGE
  } catch {
    return Number.NaN
  }
}

export async function recordPrograms(seconds) {
  const memory = program('leaks/memory')
  // A little longer than they are looked at.
  const lasts = String(seconds + 5)
  const running = PROGRAMS.map(({ c, node, ...about }) => {
    const child =
      c === undefined ? spawn(process.execPath, [collected, node, lasts]) : spawn(memory, [c, lasts])
    return { ...about, child, exited: once(child, 'exit'), timesMs: [], values: [] }
  })
  const startMs = performance.now()
  for (let sample = 0; sample < SAMPLES; sample++) {
    await sleep(Math.max(0, startMs + (sample * seconds * 1000) / SAMPLES - performance.now()))
    const atMs = performance.now()
    for (const { child, timesMs, values } of running) {
      timesMs.push(atMs)
      values.push(rssOf(child.pid))
    }
  }
  return Promise.all(
    running.map(async ({ name, leaks, child, exited, timesMs, values }) => {
      child.kill()
      await exited
      const trend = analyzeTrend({ timesMs, values, minSpanMs: (seconds * 1000) / 4 })
      const seen = values.filter(Number.isFinite)
      const mebibytes = (bytes) => bytes / 2 ** 20
      return {
        name,
        isLeak: leaks ? 'leak' : 'no leak',
        ...trend,
        leastMiB: mebibytes(Math.min(...seen)),
        mostMiB: mebibytes(Math.max(...seen)),
      }
    }),
  )
}
