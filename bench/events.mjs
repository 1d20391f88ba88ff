// Whether each event source tells of every exit, with the right code, and what that costs: a program makes children
// at a steady rate and is asked afterwards what it reaped itself.
import { fileURLToPath } from 'node:url'
import { parseOptions } from './options.mjs'
import { printTable, runJson } from './programs.mjs'

const USAGE = `events: exits recorded, compared with what the parent reaped, and the cost

  --rate N        children a second (2000)
  --seconds S     how long (5)
  --sources A,B   in turn (bpf,netlink,snapshots)
  --json          one JSON object instead of a table`

const contender = fileURLToPath(new URL('events_contender.mjs', import.meta.url))

export async function run(args) {
  const values = parseOptions(args, USAGE, { rate: 2000, seconds: 5, sources: 'bpf,netlink,snapshots' })
  if (values === undefined) return
  const { rate, seconds } = values
  const results = []
  const failures = []
  for (const source of values.sources.split(',')) {
    const { output, reason } = runJson([process.execPath, contender, source, rate, seconds])
    if (output) results.push(output)
    else failures.push({ source, reason })
  }
  if (values.json) {
    return console.log(JSON.stringify({ bench: 'events', rate, seconds, results, failures }))
  }
  console.log(`${rate} children a second for ${seconds} s; each exits at once, each tenth by a signal\n`)
  printTable(results, [
    { key: 'source', title: '' },
    { key: 'children', digits: 0 },
    { key: 'right', title: 'right code', digits: 0 },
    { key: 'wrong', digits: 0 },
    { key: 'unknown', title: 'code unknown', digits: 0 },
    { key: 'missing', digits: 0 },
    { key: 'reportedLost', title: 'told as lost', digits: 0 },
    { key: 'events', digits: 0 },
    { key: 'cpuPercent', title: '% of a core' },
    { key: 'cpuUsPerEvent', title: 'us per event', digits: 2 },
  ])
  for (const { source, reason } of failures) console.log(`${source} failed: ${reason}`)
  for (const { source, lateMs } of results) {
    if (lateMs > 100) console.log(`with ${source} the forker was ${lateMs} ms late: its rate was lower`)
  }
}
