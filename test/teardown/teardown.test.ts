import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { describeSources } from '../fixtures/sources.js'

const program = fileURLToPath(new URL('ends.mjs', import.meta.url))

// Each in a process of its own: what a teardown breaks is the process.
describeSources('a process ends cleanly', (source) => {
  it.each([
    'exit after open',
    'exit during a sample',
    'end of the program during a sample',
    'end of the program without close',
    'exit during close',
    'an exception during a sample',
    'collected without close',
    'a worker terminated during a sample',
    'workers terminated at any moment of a sampler',
    'a worker that ends by itself',
    'two samplers in two threads',
  ])('%s', async (step) => {
    const { stderr } = await promisify(execFile)(process.execPath, ['--expose-gc', program, step], {
      env: { ...process.env, PROCMUSTER_TEST_SOURCE: source },
      timeout: 55_000,
      killSignal: 'SIGKILL',
    })
    expect(stderr).toBe('')
  })
})
