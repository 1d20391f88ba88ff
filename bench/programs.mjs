// The C programs of the benchmarks, compiled at first use, and the fleet of idle processes.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const source = (name, place) => fileURLToPath(new URL(`${place}${name}.c`, import.meta.url))
const folder = fileURLToPath(new URL('../build-bench/', import.meta.url))

/** @param place folder of the source, as seen from here */
export function program(name, place = './') {
  const path = `${folder}${name}`
  const code = source(name, place)
  if (!existsSync(path) || statSync(path).mtimeMs < statSync(code).mtimeMs) {
    mkdirSync(dirname(path), { recursive: true })
    execFileSync('cc', ['-O2', '-Wall', '-static', '-o', path, code], { stdio: 'inherit' })
  }
  return path
}

/** Runs a program that prints JSON: `output`, or else the `reason` why there is none. */
export function runJson(command) {
  const [executable, ...args] = command.map(String)
  const { status, stdout, stderr } = spawnSync(executable, args, { encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (status === 0) return { output: JSON.parse(stdout) }
  return { reason: /^\w*Error.*/m.exec(stderr)?.[0] ?? `exit status ${status}` }
}

/** Starts `count` idle processes, with `churn` births and deaths a second; they end with the returned `stop()`. */
export async function startFleet(count, churn = 0) {
  const restore = allowPids(count)
  const fleet = spawn(program('fleet'), [String(count), String(churn)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(fleet, 'exit')
  const ready = once(createInterface({ input: fleet.stdout }), 'line')
  const first = await Promise.race([ready, ended])
  if (!String(first[0]).startsWith('ready')) {
    restore()
    throw new Error(
      `cannot start ${count} processes: raise pid_max, ulimit -u or the pids limit of the cgroup`,
    )
  }
  return {
    pid: fleet.pid,
    async stop() {
      fleet.stdin.end()
      await ended
      restore()
    },
  }
}

/** Raises pid_max if it has to be and may be; the returned function puts it back. */
function allowPids(count) {
  const file = '/proc/sys/kernel/pid_max'
  const before = readFileSync(file, 'latin1').trim()
  const wanted = Math.ceil(count * 1.2) + 8192
  if (Number(before) >= wanted) return () => {}
  try {
    writeFileSync(file, String(wanted))
  } catch (error) {
    console.error(`pid_max stays ${before} (${error.code}); ${count} processes may not fit`)
    return () => {}
  }
  return () => writeFileSync(file, before)
}

/** CPU time that the whole host has used, in ms of whole clock ticks: without idle and waiting for I/O. */
export function hostCpuMs() {
  const [, ...ticks] = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0].split(/ +/)
  const [user, nice, system, , , irq, softirq, steal] = ticks.map(Number)
  return (user + nice + system + irq + softirq + steal) * 10
}

/** CPU time of the programs that this process ran and reaped, in ms of whole clock ticks. */
export function childrenCpuMs() {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[16 - 3]) + Number(fields[17 - 3])) * 10
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Rows of objects as a text table; numbers to the right, with the digits that the column names. */
export function printTable(rows, columns) {
  const text = (row, { key, digits }) => {
    const value = row[key]
    if (value === undefined || Number.isNaN(value)) return '-'
    return typeof value === 'number' ? value.toFixed(digits ?? 1) : value
  }
  const lines = [
    columns.map(({ title, key }) => title ?? key),
    ...rows.map((row) => columns.map((c) => text(row, c))),
  ]
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i].length)))
  for (const line of lines) {
    console.log(
      line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
    )
  }
}

/** Numbers of a histogram of event-loop delay in ms. */
export const delays = (histogram) => ({
  p50: histogram.percentile(50) / 1e6,
  p99: histogram.percentile(99) / 1e6,
  max: histogram.max / 1e6,
})
