// 100 rules over 10,000 processes, judged by the pool's real threads over a table made by hand. Run by `npm run bench -- evaluate`.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { RuleEngine } from '../dist/rules/rule_engine.js'
import { MISSING_WORDS, NAME_BYTES } from '../dist/table/columns.js'
import { columnId, headerCell, layoutTable, mapTable } from '../dist/table/layout.js'
import { parseOptions } from './options.mjs'

const USAGE = `evaluate: time to judge a table by rules

  --processes N   processes in the table (10000)
  --rules N       rules (100)
  --ticks N       ticks measured, after 100 or more to warm up (300)
  --workers N     threads (2)
  --only TEXT     scenarios whose name has that text
  --json          one JSON object instead of a table`

/** Each row: what the rules are about, how often their condition holds, and what a tick has to do. */
const SCENARIOS = [
  { name: 'match all, no hit', match: 'all', hits: 0 },
  { name: 'match all, 1 % hit and stay', match: 'all', hits: 0.01 },
  { name: 'match all, 1 % cross per tick', match: 'all', hits: 0, isMoving: true },
  { name: 'match all, all hit and stay', match: 'all', hits: 1 },
  { name: 'match 1 %, no hit', match: 'some', hits: 0 },
  { name: 'match 1 %, all hit and stay', match: 'some', hits: 1 },
  { name: 'match all, 3 clauses', match: 'all', hits: 0, clauses: ' and cpu > 1% and threads > 2' },
  { name: 'match all, 200 births per tick', match: 'all', hits: 0, births: 200 },
  { name: 'match 1 %, half windows', match: 'some', hits: 0, windows: 'shared' },
  { name: 'match 1 %, half own windows', match: 'some', hits: 0, windows: 'own' },
]
/** Windows, in turn: what is asked of which column, over how many seconds. */
const WINDOWS = [
  ['avg(cpuPercent', 60],
  ['max(cpuPercent', 60],
  ['delta(threads', 60],
  ['avg(cpuPercent', 300],
  ['min(threads', 120],
]

export async function run(args) {
  const values = parseOptions(args, USAGE, {
    processes: 10_000,
    rules: 100,
    ticks: 300,
    workers: 2,
    only: '',
  })
  if (values === undefined) return
  const { processes, rules, ticks, workers } = values
  const options = { processes, rules, ticks, workers }
  const results = []
  for (const [index, { name }] of SCENARIOS.entries()) {
    if (!name.includes(values.only)) continue
    results.push(await measureApart(index, options))
    if (!values.json) printRow(results.at(-1), results.length === 1)
  }
  if (values.json) {
    console.log(JSON.stringify({ bench: 'evaluate', ...options, results }))
  } else {
    console.log(`\n${rules} rules, ${processes} processes, ${workers} threads, ${ticks} ticks each`)
  }
}

/** In a process of its own, so that no scenario warms up or fills up another's. */
async function measureApart(index, options) {
  const child = fork(fileURLToPath(import.meta.url), ['--scenario', String(index), JSON.stringify(options)])
  const exited = once(child, 'exit')
  const [result] = await Promise.race([once(child, 'message'), exited.then(() => [undefined])])
  await exited
  if (result === undefined) throw new Error(`scenario ${SCENARIOS[index].name} ended without a result`)
  return result
}

async function measure(scenario, { processes, rules, ticks, workers }) {
  const table = makeTable(processes)
  // Thresholds differ, so that no two rules are the same; rows are spread over 0 to 1 GB.
  const engine = await RuleEngine.open({
    rules: Array.from({ length: rules }, (_, index) => ({
      name: `rule ${index}`,
      match: scenario.match === 'all' ? {} : { name: `group-${index % 100}` },
      when: conditionOf(scenario, index),
    })),
    workers,
    intervalMs: 1000,
  })
  let warmUp = 100
  const workMs = []
  const mainMs = []
  const wallMs = []
  const delay = monitorEventLoopDelay({ resolution: 1 })
  let fired = 0
  let generation = 1
  for (let tick = 0; tick < warmUp + ticks; tick++) {
    if (tick === warmUp) delay.enable()
    if (scenario.births) generation = replace(table, scenario.births, tick, generation)
    if (scenario.isMoving) move(table)
    if (scenario.windows) vary(table)
    publish(table)
    const startedMs = performance.now()
    const decisions = await engine.tick(table, tick * 1000)
    // Rules that hit everything fire a few thousand times a tick, until all is told: what comes after is the steady state.
    if (tick === warmUp - 1 && decisions.length > 0 && !scenario.isMoving && warmUp < 2000) warmUp += 50
    if (tick >= warmUp) {
      wallMs.push(performance.now() - startedMs)
      workMs.push(engine.lastTick.workMs)
      mainMs.push(engine.lastTick.mainMs)
      fired += decisions.length
    }
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  delay.disable()
  const rssMiB = process.memoryUsage.rss() / 2 ** 20
  const { memory } = engine
  await engine.close()
  return {
    scenario: scenario.name,
    workMs: summary(workMs),
    mainMs: summary(mainMs),
    wallMs: summary(wallMs),
    decisionsPerTick: fired / ticks,
    // The histogram counts from the timer's own millisecond.
    rssMiB,
    memory,
    loopDelayP99Ms: Math.max(0, delay.percentile(99) / 1e6 - 1),
  }
}

function conditionOf({ windows, hits, clauses = '' }, index) {
  if (windows && index % 2 === 1) {
    // Divided by 100, the number of groups of processes, so that neighbouring rules of one group share no window.
    const [asked, seconds] = WINDOWS[Math.floor(index / 100) % WINDOWS.length]
    return `${asked}, ${windows === 'own' ? seconds + index / 1e3 : seconds}s) > ${1000 + index}`
  }
  return `rss > ${(1 - hits) * 1e9 - index}B${clauses}`
}

function makeTable(processes) {
  const layout = layoutTable([], processes)
  const memory = mapTable(layout, new SharedArrayBuffer(layout.byteLength))
  const { columns, header } = memory
  memory.missing.fill(0xffff_ffff)
  for (let slot = 0; slot < processes; slot++) {
    memory.slots[slot] = slot
    memory.names.set(Buffer.from(`group-${slot % 100}`), slot * NAME_BYTES)
    const cells = { pid: slot + 1, generation: 1, startTicks: slot, flags: 0, uid: 0 }
    Object.assign(cells, { rssBytes: (slot / processes) * 1e9, cpuPercent: slot % 100, threads: slot % 8 })
    for (const [column, value] of Object.entries(cells)) {
      columns[column][slot] = value
      const id = columnId[column]
      memory.missing[slot * MISSING_WORDS + (id >>> 5)] &= ~(1 << (id & 31))
    }
  }
  header[headerCell.size] = processes
  header[headerCell.sampledTicks] = 1e9
  return { memory, sequence: 0 }
}

/** 1 % of the rows cross all thresholds, up on one tick and down on the next. */
function move({ memory, sequence }) {
  const { rssBytes } = memory.columns
  const size = memory.header[headerCell.size]
  for (let slot = 0; slot < size; slot += 100) rssBytes[slot] = sequence % 2 === 0 ? 2e9 : 0
}

/** All of what windows look at is another number than a tick ago. */
function vary({ memory, sequence }) {
  const { cpuPercent, threads } = memory.columns
  const size = memory.header[headerCell.size]
  for (let slot = 0; slot < size; slot++) {
    const noise = Math.imul(slot * 7919 + sequence, 0x9e3779b1) >>> 16
    cpuPercent[slot] = noise / 655.36
    threads[slot] = 1 + (noise & 63)
  }
}

function replace({ memory }, births, tick, generation) {
  const size = memory.header[headerCell.size]
  for (let index = 0; index < births; index++) {
    const slot = (tick * births + index) % size
    memory.columns.generation[slot] = generation + 1
    memory.columns.pid[slot] += size
  }
  return generation + 1
}

function publish(table) {
  table.sequence++
  table.memory.header[headerCell.sequence] = table.sequence
  Atomics.store(table.memory.control, 0, table.sequence)
  Atomics.store(table.memory.control, 1, table.sequence)
}

function summary(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]
  return { median: at(0.5), p99: at(0.99), max: at(1) }
}

function printRow(
  { scenario, workMs, mainMs, wallMs, decisionsPerTick, loopDelayP99Ms, rssMiB, memory },
  isFirst,
) {
  if (isFirst) {
    console.log(
      `${''.padEnd(32)}   worker time      main thread      tick, wall       decisions  loop delay      RSS`,
    )
    console.log(
      `${''.padEnd(32)}  median     p99   median     p99   median     p99   per tick         p99      MiB`,
    )
  }
  const pair = ({ median, p99 }) => `${median.toFixed(2).padStart(7)} ${p99.toFixed(2).padStart(7)}  `
  const rest = `${decisionsPerTick.toFixed(0).padStart(8)} ${loopDelayP99Ms.toFixed(2).padStart(11)} ${rssMiB.toFixed(0).padStart(8)}`
  console.log(`${scenario.padEnd(32)} ${pair(workMs)}${pair(mainMs)}${pair(wallMs)}${rest}`)
  if (memory.series > 0) {
    const { series, refused, bytes } = memory
    console.log(
      `  ${series} windows followed, ${refused} refused; rules remember ${(bytes / 2 ** 20).toFixed(0)} MiB`,
    )
  }
}

if (process.argv[2] === '--scenario' && process.send !== undefined) {
  const options = JSON.parse(process.argv[4])
  process.send(await measure(SCENARIOS[Number(process.argv[3])], options), () => process.disconnect())
}
