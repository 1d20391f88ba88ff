// One source of `events`, in this process: node events_contender.mjs SOURCE RATE SECONDS prints JSON with what the
// stream told of the forker's children, compared with what the forker itself reaped, and the CPU time that it took.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { EventStream } from '../dist/index.js'
import { program } from './programs.mjs'

const DRAIN_MS = 5000
const [source, rate, seconds] = process.argv.slice(2)
const stream = await EventStream.open({ source })

// Parallel arrays: an object for each of a hundred thousand exits would be the benchmark's cost, not the stream's.
const seen = { pids: [], parents: [], codes: [] }
let events = 0
let lost = 0
let forkerPid = -1
let forkerEnded
const ended = new Promise((resolve) => {
  forkerEnded = resolve
})
const cpu = process.cpuUsage()
const reading = read()
const forker = spawn(program('forker'), [rate, seconds], { stdio: ['ignore', 'pipe', 'inherit'] })
forkerPid = forker.pid
// Kept as it comes and parsed when all is over.
const chunks = []
forker.stdout.on('data', (chunk) => chunks.push(chunk))
await once(forker, 'close')
await Promise.race([ended, sleep(DRAIN_MS)])
const { user, system } = process.cpuUsage(cpu)
await stream.close()
await reading

const lines = Buffer.concat(chunks).toString('latin1').trimEnd().split('\n')
const [, made, lateMs] = lines.pop().split(' ')
console.log(
  JSON.stringify({
    source: stream.source,
    children: Number(made),
    lateMs: Number(lateMs),
    ...compare(lines),
    reportedLost: lost,
    events,
    cpuMs: (user + system) / 1e3,
    cpuPercent: (user + system) / 1e4 / (Number(seconds) + Number(lateMs) / 1e3),
    cpuUsPerEvent: (user + system) / events,
  }),
)
process.exit(0)

async function read() {
  for await (const event of stream) {
    events++
    if (event.type === 'lost') lost += event.count
    if (event.type !== 'exit') continue
    if (event.pid === forkerPid) forkerEnded()
    seen.pids.push(event.pid)
    seen.parents.push(event.ppid)
    seen.codes.push(event.signal ?? event.exitCode)
  }
}

/** By pid, since pids come again; within one the order is the same on both sides. */
function compare(lines) {
  const codesOf = new Map()
  for (const [i, pid] of seen.pids.entries()) {
    if (seen.parents[i] !== undefined && seen.parents[i] !== forkerPid) continue
    if (!codesOf.has(pid)) codesOf.set(pid, [])
    codesOf.get(pid).push(seen.codes[i])
  }
  const result = { missing: 0, right: 0, wrong: 0, unknown: 0 }
  for (const line of lines) {
    const [pid, reaped] = line.split(' ').map(Number)
    const codes = codesOf.get(pid)
    if (codes === undefined || codes.length === 0) {
      result.missing++
      continue
    }
    const code = codes.shift()
    if (code === undefined) result.unknown++
    else if (code === (reaped < 0 ? 'SIGTERM' : reaped)) result.right++
    else result.wrong++
  }
  let extra = 0
  for (const codes of codesOf.values()) extra += codes.length
  return { ...result, extra }
}
