// One contender of `sample`, in this process: node contender.mjs NAME WARMUPS SAMPLES PAUSE_MS prints JSON with the wall and CPU
// time of each sample and the delay of the event loop meanwhile.
import { readdirSync, readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { childrenCpuMs, delays } from './programs.mjs'

const isPid = (name) => name[0] > '0' && name[0] <= '9'

function parse(stat, statm) {
  const close = stat.lastIndexOf(')')
  const fields = stat.slice(close + 2).split(' ')
  return {
    pid: Number.parseInt(stat, 10),
    name: stat.slice(stat.indexOf('(') + 1, close),
    state: fields[0],
    fields: fields.slice(1).map(Number),
    memory: statm.split(' ').map(Number),
  }
}

async function sampling(source) {
  const { Sampler } = await import('../dist/index.js')
  const sampler = await Sampler.open({ source })
  return async () => (await sampler.sample()).size
}

/**
 * Each opens what it needs and returns the function that takes one sample and gives the number of processes, or with it
 * the times where these are not those of the call.
 */
const contenders = {
  'procmuster-bpf': () => sampling('bpf'),
  'procmuster-procfs': () => sampling('procfs'),
  async 'kernel-walk'() {
    const { native } = await import('../dist/native.js')
    const out = new Float64Array(4)
    // It loads the kernel program each time, so it gives the times of a walk itself.
    return async () => {
      const errno = native.timeWalk(0, out)
      if (errno !== 0) throw new Error(`the walk failed with errno ${errno}`)
      const [wallNs, cpuNs, processes] = out
      return { processes, wallMs: wallNs / 1e6, cpuMs: cpuNs / 1e6 }
    }
  },
  async 'node-fs-sync'() {
    return async () => {
      const rows = []
      for (const pid of readdirSync('/proc').filter(isPid)) {
        try {
          const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
          rows.push(parse(stat, readFileSync(`/proc/${pid}/statm`, 'latin1')))
        } catch {}
      }
      return rows.length
    }
  },
  async 'node-fs-promises'() {
    return async () => {
      const pids = (await readdir('/proc')).filter(isPid)
      const rows = []
      // In batches: all at once would open more files than a process may.
      for (let i = 0; i < pids.length; i += 256) {
        const batch = pids.slice(i, i + 256).map(async (pid) => {
          const read = (file) => readFile(`/proc/${pid}/${file}`, 'latin1')
          rows.push(parse(...(await Promise.all([read('stat'), read('statm')]))))
        })
        await Promise.allSettled(batch)
      }
      return rows.length
    }
  },
  async systeminformation() {
    const { processes } = await import('systeminformation')
    return async () => (await processes()).list.length
  },
  async pidusage() {
    const { default: pidusage } = await import('pidusage')
    return async () => {
      const pids = readdirSync('/proc').filter(isPid)
      let count = 0
      for (let i = 0; i < pids.length; i += 256) {
        count += Object.keys(await pidusage(pids.slice(i, i + 256))).length
      }
      return count
    }
  },
}

const [name, warmups, count, pauseMs] = process.argv.slice(2)
const sample = await contenders[name]()
for (let i = 0; i < Number(warmups); i++) await sample()
const loop = monitorEventLoopDelay({ resolution: 1 })
const samples = []
let processes = 0
await sleep(Number(pauseMs))
loop.enable()
for (let i = 0; i < Number(count); i++) {
  const children = childrenCpuMs()
  const cpu = process.cpuUsage()
  const began = performance.now()
  const taken = await sample()
  const wallMs = performance.now() - began
  const { user, system } = process.cpuUsage(cpu)
  const cpuMs = (user + system) / 1e3 + childrenCpuMs() - children
  processes = taken.processes ?? taken
  samples.push({ wallMs: taken.wallMs ?? wallMs, cpuMs: taken.cpuMs ?? cpuMs })
  // The delay of the loop is then seen also after a sample that never gave way.
  await sleep(Number(pauseMs))
}
loop.disable()
const peakRssMiB = process.resourceUsage().maxRSS / 1024
console.log(JSON.stringify({ samples, processes, loopDelayMs: delays(loop), peakRssMiB }))
process.exit(0)
