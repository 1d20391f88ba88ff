// How long one call takes that signals many processes, each by an identity that is verified, compared with bare kill(2)
// by pid; and whether it reached all of them and none that it should not.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { identify, sendSignal } from '../dist/index.js'
import { parseOptions } from './options.mjs'
import { median, printTable, startFleet } from './programs.mjs'

const USAGE = `signal: many processes signalled in one call

  --processes N   (5000)
  --rounds R      calls, in turn with bare kill(2) by pid (20)
  --json          one JSON object instead of a table`

const END_WITHIN_MS = 30_000
const STALE_EVERY = 100 // one of so many identities is another process's

export async function run(args) {
  const values = parseOptions(args, USAGE, { processes: 5000, rounds: 20 })
  if (values === undefined) return
  const fleet = await startFleet(values.processes)
  try {
    const pids = childrenOf(fleet.pid)
    const all = await Promise.all(pids.map((pid) => identify(pid)))
    const mixed = all.map((target, index) =>
      index % STALE_EVERY === 0
        ? { ...target, startTicks: target.startTicks - 5, pidfsInode: undefined }
        : target,
    )
    const ways = {
      'sendSignal, SIGCONT': () => sendSignal(all, 'CONT'),
      'sendSignal, 1 % stale': () => sendSignal(mixed, 'CONT'),
      'kill(2) by pid, SIGCONT': () => pids.map((pid) => process.kill(pid, 'SIGCONT')),
    }
    const times = Object.fromEntries(Object.keys(ways).map((name) => [name, []]))
    const cpu = Object.fromEntries(Object.keys(ways).map((name) => [name, []]))
    let wrong = 0
    for (let round = 0; round < values.rounds; round++) {
      for (const [name, way] of Object.entries(ways)) {
        const began = performance.now()
        const before = process.cpuUsage()
        const results = await way()
        times[name].push(performance.now() - began)
        const { user, system } = process.cpuUsage(before)
        cpu[name].push((user + system) / 1000)
        if (!name.startsWith('sendSignal')) continue
        const stale = name.endsWith('stale')
        wrong += results.filter(({ ok }, index) => ok === (stale && index % STALE_EVERY === 0)).length
      }
    }
    // The last call ends those that it names, and only those.
    const began = performance.now()
    await sendSignal(mixed, 'KILL')
    const killMs = performance.now() - began
    const spared = pids.filter((_, index) => index % STALE_EVERY === 0)
    const killed = pids.filter((_, index) => index % STALE_EVERY !== 0)
    // That many take longer to end than to be signalled.
    const giveUp = performance.now() + END_WITHIN_MS
    while (killed.some(isAlive) && performance.now() < giveUp) await sleep(20)
    wrong += killed.filter(isAlive).length + spared.filter((pid) => !isAlive(pid)).length
    const results = Object.entries(times).map(([name, ms]) => ({
      name,
      ms: median(ms),
      worstMs: Math.max(...ms),
      cpuMs: median(cpu[name]),
      usEach: (median(ms) * 1000) / pids.length,
    }))
    results.push({
      name: 'sendSignal, SIGKILL',
      ms: killMs,
      worstMs: killMs,
      usEach: (killMs * 1000) / pids.length,
    })
    if (values.json) {
      return console.log(JSON.stringify({ bench: 'signal', ...values, results, wrong }))
    }
    console.log(`${pids.length} processes, ${values.rounds} rounds; wrongly reached or missed: ${wrong}\n`)
    printTable(results, [
      { key: 'name', title: '' },
      { key: 'ms', title: 'median ms', digits: 1 },
      { key: 'worstMs', title: 'worst ms', digits: 1 },
      { key: 'cpuMs', title: 'CPU ms', digits: 1 },
      { key: 'usEach', title: 'us each', digits: 2 },
    ])
  } finally {
    await fleet.stop()
  }
}

function stat(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

const isAlive = (pid) => !['Z', 'X'].includes(stat(pid)[0])

function childrenOf(parent) {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).filter((pid) => {
    try {
      return Number(stat(pid)[1]) === parent
    } catch {
      return false // it has ended
    }
  })
}
