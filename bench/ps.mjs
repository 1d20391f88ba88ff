// A list of all processes as a command, its start included, against ps of procps.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseOptions } from './options.mjs'
import { childrenCpuMs, median, printTable, startFleet } from './programs.mjs'

const USAGE = `ps: wall and CPU time of one command that lists all processes, from its start to its end

  --processes N   idle processes to start (10000)
  --rounds N      runs of each command, in turn (7)
  --source S      where the samples of muster come from: auto, bpf, procfs (auto)
  --json          one JSON object instead of a table`

const muster = fileURLToPath(new URL('../dist/muster/main.js', import.meta.url))

export async function run(args) {
  const values = parseOptions(args, USAGE, { processes: 10_000, rounds: 7, source: 'auto' })
  if (values === undefined) return
  const ps = [process.execPath, muster, 'ps', '--source', values.source]
  const contenders = {
    'ps aux': ['ps', 'aux'],
    'muster ps --json': [...ps, '--json'],
    'muster ps': ps,
    'muster ps --top memory': [...ps, '--top', 'memory'],
    'node -e 0': [process.execPath, '-e', '0'],
  }
  const fleet = await startFleet(values.processes)
  const runs = Object.entries(contenders).map(([contender, command]) => ({ contender, command, taken: [] }))
  try {
    for (let round = 0; round < values.rounds; round++) {
      for (const { command, taken } of runs) taken.push(timed(command))
    }
  } finally {
    await fleet.stop()
  }
  const results = runs.map(({ contender, taken }) => ({
    contender,
    wallMs: median(taken.map(({ wallMs }) => wallMs)),
    cpuMs: median(taken.map(({ cpuMs }) => cpuMs)),
    lines: taken.at(-1).lines,
  }))
  if (values.json) return console.log(JSON.stringify({ bench: 'ps', processes: values.processes, results }))
  console.log(`${values.processes} processes besides those of the host, medians of ${values.rounds} runs\n`)
  const [{ wallMs: base }] = results
  printTable(
    results.map((each) => ({ ...each, ratio: each.wallMs / base })),
    [
      { key: 'contender', title: '' },
      { key: 'wallMs', title: 'wall ms', digits: 0 },
      { key: 'ratio', title: 'of ps aux', digits: 2 },
      { key: 'cpuMs', title: 'CPU ms', digits: 0 },
      { key: 'lines', title: 'lines', digits: 0 },
    ],
  )
}

/** One run, with a pipe for its output; the CPU time is that of all its threads. */
function timed([executable, ...args]) {
  const before = childrenCpuMs()
  const began = performance.now()
  const { status, stdout, stderr } = spawnSync(executable, args, { encoding: 'latin1', maxBuffer: 2 ** 28 })
  const wallMs = performance.now() - began
  if (status !== 0)
    throw new Error(`${[executable, ...args].join(' ')}: ${stderr || `exit status ${status}`}`)
  return { wallMs, cpuMs: childrenCpuMs() - before, lines: stdout.split('\n').length - 1 }
}
