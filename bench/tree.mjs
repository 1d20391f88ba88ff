// How long the main thread takes to arrange a sample by parents, with the sums of every subtree.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processTree, renderTree, Sampler } from '../dist/index.js'
import { parseOptions } from './options.mjs'
import { hostCpuMs, median, printTable } from './programs.mjs'

const USAGE = `tree: time to make the tree of all processes, and to draw it

  --processes N   processes, as files of a /proc made for it (50000)
  --rounds N      how often, after 3 to warm up (20)
  --json          one JSON object instead of a table`

const BAR_MS = 50
const WARM_UP_ROUNDS = 3

export async function run(args) {
  const values = parseOptions(args, USAGE, { processes: 50_000, rounds: 20 })
  if (values === undefined) return
  const procRoot = mkdtempSync(join(tmpdir(), 'bench-tree-'))
  try {
    writeProcesses(procRoot, values.processes)
    const result = await measure(procRoot, values)
    if (values.json) return console.log(JSON.stringify({ bench: 'tree', barMs: BAR_MS, ...values, result }))
    console.log(`${values.processes} processes; all metrics summed, bar ${BAR_MS} ms at the median\n`)
    printTable(
      [result],
      [
        { key: 'size', title: 'processes', digits: 0 },
        { key: 'deepest', digits: 0 },
        { key: 'treeMs', title: 'tree, median ms' },
        { key: 'fastestMs', title: 'fastest' },
        { key: 'slowestMs', title: 'slowest' },
        { key: 'drawMs', title: 'drawn, median ms' },
        { key: 'othersPercent', title: 'others took % of a core', digits: 0 },
      ],
    )
  } finally {
    rmSync(procRoot, { recursive: true })
  }
}

/** Every process the child of an earlier one, near the beginning more often than not: wide, with some long chains. */
function writeProcesses(procRoot, count) {
  let seed = 1
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }
  writeFileSync(join(procRoot, 'meminfo'), 'MemTotal: 16000000 kB\n')
  for (let pid = 1; pid <= count; pid++) {
    const parent = pid === 1 ? 0 : random() < 0.2 ? pid - 1 : 1 + Math.floor(random() ** 3 * (pid - 1))
    const directory = join(procRoot, String(pid))
    mkdirSync(directory)
    const rest = '0 0 0 -1 0 100 0 0 0 5 5 0 0 20 0 1 0'
    writeFileSync(
      join(directory, 'stat'),
      `${pid} (worker${pid % 50}) S ${parent} ${rest} ${pid} 10000000 500 ${'0 '.repeat(28)}0\n`,
    )
    writeFileSync(join(directory, 'statm'), '2441 500 300 10 0 90 0\n')
    writeFileSync(
      join(directory, 'io'),
      'rchar: 1\nwchar: 1\nsyscr: 1\nsyscw: 1\nread_bytes: 4096\nwrite_bytes: 4096\ncancelled_write_bytes: 0\n',
    )
  }
}

async function measure(procRoot, { processes, rounds }) {
  const sampler = await Sampler.open({
    source: 'procfs',
    procRoot,
    groups: ['io', 'status'],
    capacity: processes + 1,
  })
  await sampler.sample()
  const table = await sampler.sample() // the second one has rates
  const host = hostCpuMs()
  const cpu = process.cpuUsage()
  const beganAt = performance.now()
  let tree
  const treeTimes = timed(rounds, () => {
    tree = processTree(table)
  })
  const drawTimes = timed(rounds, () => renderTree(tree))
  const wallMs = performance.now() - beganAt
  const { user, system } = process.cpuUsage(cpu)
  await sampler.close()
  let deepest = 0
  for (const { depth } of tree) deepest = Math.max(deepest, depth)
  return {
    size: tree.size,
    deepest,
    treeMs: median(treeTimes),
    fastestMs: Math.min(...treeTimes),
    slowestMs: Math.max(...treeTimes),
    drawMs: median(drawTimes),
    othersPercent: Math.max(0, ((hostCpuMs() - host) / wallMs) * 100 - (user + system) / 10 / wallMs),
  }
}

/** Of each round after those that warm up, in ms. One thing after the other, so that none is charged with another's garbage. */
function timed(rounds, work) {
  return Array.from({ length: WARM_UP_ROUNDS + rounds }, () => {
    const beganAt = performance.now()
    work()
    return performance.now() - beganAt
  }).slice(WARM_UP_ROUNDS)
}
