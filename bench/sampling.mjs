// node sampling.mjs SOURCE INTERVAL_MS WARMUP_SECONDS SECONDS: samples at that interval, in this process, and prints JSON
// with what all of it cost after the warm-up: kernel, native and JavaScript.
import { setTimeout as sleep } from 'node:timers/promises'
import { Sampler } from '../dist/index.js'

const [source, intervalMs, warmupSeconds, seconds] = process.argv.slice(2)
const interval = Number(intervalMs)
const sampler = await Sampler.open({ source })
await sampleFor(Number(warmupSeconds) * 1000)

const cpu = process.cpuUsage()
const began = performance.now()
const { samples, processes } = await sampleFor(Number(seconds) * 1000)
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

async function sampleFor(ms) {
  const end = performance.now() + ms
  let samples = 0
  let processes = 0
  for (let due = performance.now(); due < end; due = Math.max(due + interval, performance.now())) {
    await sleep(Math.max(0, due - performance.now()))
    processes = (await sampler.sample()).size
    samples++
  }
  await sleep(Math.max(0, end - performance.now()))
  return { samples, processes }
}
