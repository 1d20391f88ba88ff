// `muster top` on a real terminal (tmux): what it costs once a second, and how soon a key is answered.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseOptions } from './options.mjs'
import { median, printTable, startFleet } from './programs.mjs'

const USAGE = `top: share of a core that muster top takes, and from a key to the screen

  --processes N   idle processes to start (20000)
  --seconds S     how long its CPU time is counted, after 10 s to warm up (20)
  --rounds N      how often each key is pressed (5)
  --source S      where samples come from: auto, bpf, procfs (bpf)
  --columns N     size of the terminal (200)
  --rows N        (50)
  --json          one JSON object instead of a table`

// V8 compiles and collects what the start has left behind some seconds later, which is not what going on costs.
const WARMUP_MS = 10_000
const SLOWEST_MS = 5000
const muster = fileURLToPath(new URL('../dist/muster/main.js', import.meta.url))
const socket = join(tmpdir(), `procmuster-tmux-${process.pid}`)
const tmux = (...args) => execFileSync('tmux', ['-S', socket, ...args], { encoding: 'utf8' })
const screen = () => tmux('capture-pane', '-p')

/** Keys, and what the screen shows once each is answered. */
const KEYS = [
  { what: 'sort by memory', key: 'M', shows: /%MEM▼/ },
  { what: 'sort by CPU', key: 'P', shows: /%CPU▼/ },
  { what: 'open the filter', key: '/', shows: /Filter: _/ },
  { what: 'type into it', key: 'f', shows: /Filter: f_/ },
  { what: 'clear it', key: 'Escape', shows: /q quit/ },
  { what: 'tree', key: 't', shows: /[├└]─/ },
  { what: 'no tree', key: 't', shows: /^[^├└]*$/ },
  { what: 'help', key: '?', shows: /send it a signal/ },
  { what: 'close it', key: 'q', shows: /COMMAND/ },
]

export async function run(args) {
  const defaults = { processes: 20_000, seconds: 20, rounds: 5, source: 'bpf', columns: 200, rows: 50 }
  const values = parseOptions(args, USAGE, defaults)
  if (values === undefined) return
  const fleet = await startFleet(values.processes)
  try {
    const size = ['-x', String(values.columns), '-y', String(values.rows)]
    const command = [process.execPath, muster, 'top', '--source', values.source]
    const began = performance.now()
    tmux('-f', '/dev/null', 'new-session', '-d', ...size, '-e', 'LC_ALL=C.UTF-8', ...command)
    await shown(/COMMAND/)
    const startMs = performance.now() - began
    await sleep(WARMUP_MS)
    const pid = Number(tmux('display-message', '-p', '#{pane_pid}'))
    const before = cpuMs(pid)
    const from = performance.now()
    await sleep(values.seconds * 1000)
    const cpuPercent = ((cpuMs(pid) - before) / (performance.now() - from)) * 100
    const look = await overhead()
    const taken = KEYS.map((each) => ({ ...each, ms: [] }))
    for (let round = 0; round < values.rounds; round++) {
      for (const { key, shows, ms } of taken) ms.push((await answered(key, shows)) - look)
    }
    const rssMiB = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) / 1024
    const keys = taken.map(({ what, ms }) => ({ what, ms: median(ms), slowestMs: Math.max(...ms) }))
    report(values, { startMs, cpuPercent, rssMiB, lookMs: look, keys })
  } finally {
    tmux('kill-server')
    rmSync(socket, { force: true })
    await fleet.stop()
  }
}

function report(values, { startMs, cpuPercent, rssMiB, lookMs, keys }) {
  if (values.json) {
    return console.log(JSON.stringify({ bench: 'top', ...values, startMs, cpuPercent, rssMiB, lookMs, keys }))
  }
  const { processes, columns, rows, source } = values
  console.log(`${processes} processes besides those of the host, ${columns}x${rows}, source ${source}`)
  console.log(
    `first screen after ${startMs.toFixed(0)} ms, ${cpuPercent.toFixed(1)} % of a core, RSS ${rssMiB.toFixed(0)} MiB`,
  )
  console.log(`to ask tmux for the screen takes ${lookMs.toFixed(1)} ms, which is taken off\n`)
  printTable(keys, [
    { key: 'what', title: 'key' },
    { key: 'ms', title: 'median ms', digits: 0 },
    { key: 'slowestMs', title: 'slowest ms', digits: 0 },
  ])
}

/** What one look at the screen itself takes. */
async function overhead() {
  const ms = []
  for (let round = 0; round < 5; round++) {
    const from = performance.now()
    screen()
    ms.push(performance.now() - from)
  }
  return median(ms)
}

async function answered(key, shows) {
  const from = performance.now()
  tmux('send-keys', key)
  await shown(shows)
  return performance.now() - from
}

async function shown(pattern) {
  const from = performance.now()
  while (!pattern.test(screen())) {
    if (performance.now() - from > SLOWEST_MS) throw new Error(`${pattern} is not shown:\n${screen()}`)
    await sleep(2)
  }
}

/** Of all its threads, in clock ticks. */
function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[14 - 3]) + Number(fields[15 - 3])) * 10
}
