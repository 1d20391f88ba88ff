// node sampling.mjs SOURCE INTERVAL_MS SECONDS: samples at that interval, in this process, and prints JSON with what
// all of it cost: kernel, native and JavaScript.
import { setTimeout as sleep } from 'node:timers/promises'
import { Sampler } from '../dist/index.js'

const [source, intervalMs, seconds] = process.argv.slice(2)
const sampler = await Sampler.open({ source })
const interval = Number(intervalMs)
for (let i = 0; i < 3; i++) await sampler.sample()
await sleep(500)

let samples = 0
let processes = 0
const cpu = process.cpuUsage()
const began = performance.now()
const end = began + Number(seconds) * 1000
for (let due = began; due < end; due = Math.max(due + interval, performance.now())) {
  await sleep(Math.max(0, due - performance.now()))
  processes = (await sampler.sample()).size
  samples++
}
await sleep(Math.max(0, end - performance.now()))
const wallMs = performance.now() - began
const { user, system } = process.cpuUsage(cpu)
const cpuMs = (user + system) / 1e3
await sampler.close()
console.log(
  JSON.stringify({
    samples,
    processes,
    samplesPerSecond: samples / (wallMs / 1000),
    cpuPercent: (cpuMs / wallMs) * 100,
    cpuMsPerSample: cpuMs / samples,
    peakRssMiB: process.resourceUsage().maxRSS / 1024,
  }),
)
