// Who has a port, on a host with many sockets, against lsof.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { findByPort } from '../dist/index.js'
import { parseOptions } from './options.mjs'
import { childrenCpuMs, median, printTable, program } from './programs.mjs'

const USAGE = `port: who has a port, by the API, by muster who, by muster find and by lsof

  --processes N   processes to start (1000)
  --sockets N     listening sockets of all of them together (5000)
  --rounds N      runs of each, in turn (5)
  --json          one JSON object instead of a table`

const main = fileURLToPath(new URL('../dist/muster/main.js', import.meta.url))

export async function run(args) {
  const values = parseOptions(args, USAGE, { processes: 1000, sockets: 5000, rounds: 5 })
  if (values === undefined) return
  const each = Math.ceil(values.sockets / values.processes)
  // A session of its own: the program ends its children by their process group.
  const fleet = spawn(program('listeners'), [String(values.processes), String(each)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  })
  const ended = once(fleet, 'exit')
  const runs = new Map()
  try {
    const [line] = await Promise.race([once(createInterface({ input: fleet.stdout }), 'line'), ended])
    const port = Number(/^ready (\d+)$/.exec(String(line))?.[1])
    if (!port) throw new Error(`cannot start ${values.processes} processes with ${each} sockets each`)
    const contenders = {
      'lsof -nP -i': () => pidsOf(execFileSync('lsof', ['-nP', `-iTCP:${port}`, '-t'])),
      'muster who --json': () => muster('who', `:${port}`).found.map(({ pid }) => pid),
      'muster find --port --json': () => muster('find', '--port', port).map(({ pid }) => pid),
      findByPort: async () =>
        (await findByPort(port)).found.flatMap(({ owners }) => owners.map(({ identity }) => identity.pid)),
    }
    for (let round = 0; round < values.rounds; round++) {
      for (const [name, find] of Object.entries(contenders)) {
        runs.set(name, [...(runs.get(name) ?? []), await timed(find)])
      }
    }
  } finally {
    fleet.stdin.end()
    await ended
  }
  const results = [...runs].map(([contender, taken]) => ({
    contender,
    wallMs: median(taken.map(({ wallMs }) => wallMs)),
    cpuMs: median(taken.map(({ cpuMs }) => cpuMs)),
    pids: taken.at(-1).pids,
  }))
  if (new Set(results.map(({ pids }) => pids.join())).size !== 1) throw new Error('they do not agree')
  if (values.json) return console.log(JSON.stringify({ bench: 'port', ...values, results }))
  console.log(
    `${values.processes} processes with ${each} listening sockets each, medians of ${values.rounds} runs\n`,
  )
  const [{ wallMs: base }] = results
  printTable(
    results.map((result) => ({ ...result, ratio: result.wallMs / base })),
    [
      { key: 'contender', title: '' },
      { key: 'wallMs', title: 'wall ms', digits: 0 },
      { key: 'ratio', title: 'of lsof', digits: 2 },
      { key: 'cpuMs', title: 'CPU ms', digits: 0 },
    ],
  )
}

// Whom it could not look into, it tells on stderr.
const muster = (...words) =>
  JSON.parse(
    execFileSync(process.execPath, [main, ...words.map(String), '--json'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  )

const pidsOf = (output) => output.toString().trim().split('\n').map(Number)

async function timed(find) {
  const children = childrenCpuMs()
  const own = process.cpuUsage()
  const began = performance.now()
  const pids = await find()
  const wallMs = performance.now() - began
  const { user, system } = process.cpuUsage(own)
  return { wallMs, cpuMs: childrenCpuMs() - children + (user + system) / 1000, pids }
}
