// Ends at the step of the sampler's life that its first argument names; started by teardown.test.ts.
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { Sampler } from '../../dist/sampler/sampler.js' // alone: a hundred workers load it

const step = isMainThread ? process.argv[2] : workerData
const source = process.env.PROCMUSTER_TEST_SOURCE
const open = () => Sampler.open({ source, capacity: 64 })

const steps = {
  async 'exit after open'() {
    await open()
    process.exit(0)
  },
  async 'exit during a sample'() {
    const sampler = await open()
    sampler.sample()
    setImmediate(() => process.exit(0))
  },
  async 'end of the program during a sample'() {
    const sampler = await open()
    sampler.sample() // its promise keeps the loop alive; nothing else does
  },
  async 'end of the program without close'() {
    const sampler = await open()
    await sampler.sample()
  },
  async 'exit during close'() {
    const sampler = await open()
    sampler.sample().catch(() => {})
    sampler.close()
    process.exit(0)
  },
  async 'an exception during a sample'() {
    const sampler = await open()
    sampler.sample()
    process.on('uncaughtException', () => process.exit(0))
    setImmediate(() => {
      throw new Error('thrown on purpose')
    })
  },
  async 'collected without close'() {
    for (let i = 0; i < 20; i++) {
      const sampler = await open()
      await sampler.sample()
    }
    for (let i = 0; i < 10; i++) {
      globalThis.gc()
      await new Promise((resolve) => setImmediate(resolve))
    }
  },
  async 'a worker terminated during a sample'() {
    for (let i = 0; i < 10; i++) {
      const worker = new Worker(new URL(import.meta.url), { workerData: 'samples for ever' })
      await new Promise((resolve) => worker.once('message', resolve))
      await worker.terminate()
    }
  },
  async 'workers terminated at any moment of a sampler'() {
    for (let i = 0; i < (process.env.PROCMUSTER_SANITIZER ? 25 : 100); i++) {
      const worker = new Worker(new URL(import.meta.url), {
        workerData: 'opens, samples and closes for ever',
      })
      await new Promise((resolve) => worker.once('message', resolve))
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
      await worker.terminate()
    }
  },
  async 'a worker that ends by itself'() {
    const worker = new Worker(new URL(import.meta.url), { workerData: 'end of the program without close' })
    await new Promise((resolve) => worker.once('exit', resolve))
  },
  async 'two samplers in two threads'() {
    const worker = new Worker(new URL(import.meta.url), { workerData: 'samples for ever' })
    await new Promise((resolve) => worker.once('message', resolve))
    const sampler = await open()
    for (let i = 0; i < 20; i++) await sampler.sample()
    await worker.terminate()
    const table = await sampler.sample()
    if (table.get(process.pid) === undefined) throw new Error('the table lacks this process')
    await sampler.close()
  },
  async 'opens, samples and closes for ever'() {
    const { parentPort } = await import('node:worker_threads')
    parentPort.postMessage('loaded')
    for (;;) {
      const sampler = await open()
      for (let i = 0; i < 3; i++) await sampler.sample()
      const last = sampler.sample().catch(() => {})
      await sampler.close()
      await last
    }
  },
  async 'samples for ever'() {
    const { parentPort } = await import('node:worker_threads')
    const sampler = await open()
    for (;;) {
      await sampler.sample()
      parentPort.postMessage('sampled')
    }
  },
}

await steps[step]()
