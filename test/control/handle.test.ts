import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import {
  identify,
  ProcessHandle,
  sendSignal,
  spawnProcess,
  terminate,
  terminateTree,
} from '../../dist/index.js'
import { openDescriptors } from '../fixtures/descriptors.js'
import { readState, startProcess, stopAll, waitFor } from '../fixtures/processes.js'

afterEach(stopAll)

const api = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)

async function threadNames(): Promise<string[]> {
  const names = await Promise.all(
    (await readdir('/proc/self/task')).map((tid) =>
      readFile(`/proc/self/task/${tid}/comm`, 'utf8').catch(() => ''),
    ),
  )
  return names.map((name) => name.trim())
}

describe('ProcessHandle', () => {
  test('knows when the process ends, and its thread ends with the last watch', async () => {
    const target = await startProcess('idle')
    using handle = await ProcessHandle.open(await identify(target.pid))
    expect(handle.hasExited).toBe(false)
    const { exited } = handle
    expect(await threadNames()).toContain('muster-exits')
    handle.signal('SIGTERM')
    expect(await exited).toEqual({})
    expect(handle.hasExited).toBe(true)
    await waitFor(async () => !(await threadNames()).includes('muster-exits'))
    // And it starts again.
    const next = await startProcess('idle')
    using second = await ProcessHandle.open(await identify(next.pid))
    const ended = second.exited
    second.signal('KILL')
    await ended
  })

  test('knows how a child of ours ended that ended while it was opened', async () => {
    // One in a dozen was no longer told of it.
    for (let round = 0; round < 100; round++) {
      const child = await spawnProcess('/bin/true')
      try {
        using handle = await ProcessHandle.open(child)
        expect(await handle.exited).toEqual({ exitCode: 0 })
      } catch (error) {
        expect(error).toMatchObject({ code: 'PROCESS_GONE' })
      }
    }
  })

  test('of a zombie has exited at once', async () => {
    const target = await startProcess('zombie')
    using handle = await ProcessHandle.open(await identify(target.pid))
    expect(handle.hasExited).toBe(true)
    await handle.exited
  })

  test('locks its process for itself until it is closed', async (context) => {
    const identity = await identify((await startProcess('idle')).pid)
    const other = await identify((await startProcess('idle')).pid)
    using first = await ProcessHandle.open(identity)
    using second = await ProcessHandle.open(identity)
    if (identity.pidfsInode === undefined) {
      expect(first.lock()).toBeUndefined()
      return context.skip()
    }
    expect([first.lock(), first.lock(), second.lock()]).toEqual([true, true, false])
    using elsewhere = await ProcessHandle.open(other)
    expect(elsewhere.lock()).toBe(true)
    second.signal(0)
    first.close()
    expect(second.lock()).toBe(true)
    expect(() => first.lock()).toThrowError(expect.objectContaining({ code: 'CLOSED' }))
  })

  test('stays with its process when that is gone', async () => {
    const target = await startProcess('idle')
    using handle = await ProcessHandle.open(await identify(target.pid))
    await target.stop()
    expect(() => handle.signal('SIGTERM')).toThrowError(expect.objectContaining({ code: 'PROCESS_GONE' }))
  })

  test('closes once, rejects what is awaited, and says CLOSED afterwards', async () => {
    const target = await startProcess('idle')
    const handle = await ProcessHandle.open(await identify(target.pid))
    const { exited } = handle
    handle.close()
    handle.close()
    await expect(exited).rejects.toMatchObject({ code: 'CLOSED' })
    expect(() => handle.signal(0)).toThrowError(expect.objectContaining({ code: 'CLOSED' }))
    expect(() => handle.hasExited).toThrowError(expect.objectContaining({ code: 'CLOSED' }))
    await waitFor(async () => !(await threadNames()).includes('muster-exits'))
  })

  test('leaves no descriptor behind', async () => {
    const target = await startProcess('idle')
    const identity = await identify(target.pid)
    const use = async () => {
      const handle = await ProcessHandle.open(identity)
      void handle.exited
      handle.close()
    }
    await use()
    await waitFor(async () => !(await threadNames()).includes('muster-exits'))
    const before = openDescriptors().length
    for (let i = 0; i < 100; i++) await use()
    await waitFor(() => openDescriptors().length <= before)
  })

  test('protects this process and pid 1', async () => {
    using self = await ProcessHandle.open(await identify(process.pid))
    expect(() => self.signal('SIGTERM')).toThrowError(expect.objectContaining({ code: 'PROTECTED' }))
    self.signal(0, { force: true })
  })
})

describe('terminate', () => {
  test('SIGTERM is enough for most', async () => {
    const target = await startProcess('idle')
    const exit = once(target.child, 'exit')
    using handle = await ProcessHandle.open(await identify(target.pid))
    const end = await terminate(handle, { graceMs: 10_000 })
    expect(end.endedBy).toBe('SIGTERM')
    expect(await exit).toEqual([null, 'SIGTERM'])
  })

  test.each([
    ['HUP', 'SIGHUP'],
    [37, 'SIGRTMIN+3'],
  ] as const)('tells of another first signal, %s, by its name', async (signal, endedBy) => {
    const target = await startProcess('idle')
    using handle = await ProcessHandle.open(await identify(target.pid))
    expect(await terminate(handle, { graceMs: 10_000, signal })).toMatchObject({ endedBy })
  })

  test('SIGKILL only after the grace time', async () => {
    const target = await startProcess('idle', { ignoreTerm: true })
    const exit = once(target.child, 'exit')
    using handle = await ProcessHandle.open(await identify(target.pid))
    const end = await terminate(handle, { graceMs: 300 })
    expect(end.endedBy).toBe('SIGKILL')
    expect(end.tookMs).toBeGreaterThanOrEqual(299)
    expect(await exit).toEqual([null, 'SIGKILL'])
  })

  test('a stopped process gets its chance to handle SIGTERM', async () => {
    const child = spawn(process.execPath, [
      '-e',
      "process.on('SIGTERM', () => process.exit(42)); console.log('ready'); setInterval(() => {}, 1000)",
    ])
    await once(child.stdout, 'data')
    const identity = await identify(child.pid!)
    await sendSignal([identity], 'STOP')
    await waitFor(async () => (await readState(child.pid!)) === 'T')
    const exit = once(child, 'exit')
    using handle = await ProcessHandle.open(identity)
    expect((await terminate(handle, { graceMs: 10_000 })).endedBy).toBe('SIGTERM')
    expect(await exit).toEqual([42, null])
  })

  test.each([Number.POSITIVE_INFINITY, 2 ** 31, Number.NaN, -1, undefined])(
    'no grace of %s, which would kill at once',
    async (graceMs) => {
      const target = await startProcess('idle', { ignoreTerm: true })
      const identity = await identify(target.pid)
      using handle = await ProcessHandle.open(identity)
      const refusal = { code: 'INVALID_ARGUMENT', message: expect.stringContaining('graceMs is') }
      await expect(terminate(handle, { graceMs: graceMs! })).rejects.toMatchObject(refusal)
      await expect(terminateTree(identity, { graceMs: graceMs! })).rejects.toMatchObject(refusal)
      expect(handle.hasExited).toBe(false)
    },
  )

  test('who had ended, ended itself; a zombie has', async () => {
    const target = await startProcess('zombie')
    using handle = await ProcessHandle.open(await identify(target.pid))
    expect((await terminate(handle, { graceMs: 10_000 })).endedBy).toBe('itself')
  })
})

describe('life of the environment', () => {
  const run = (script: string) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', `import * as m from ${api}\n${script}`], {
      timeout: 20_000,
      encoding: 'utf8',
    })

  test('an awaited exit keeps the loop alive, an unref-ed one does not', async () => {
    const target = await startProcess('exit', { after: 700 })
    const awaited = run(
      `const h = await m.ProcessHandle.open(await m.identify(${target.pid})); await h.exited; console.log('seen')`,
    )
    expect(awaited).toMatchObject({ status: 0, stdout: 'seen\n', stderr: '' })
    const other = await startProcess('idle')
    const unrefed = run(
      `const h = await m.ProcessHandle.open(await m.identify(${other.pid})); h.exited.then(() => console.log('never')); h.unref()`,
    )
    expect(unrefed).toMatchObject({ status: 0, stdout: '', stderr: '' })
  })

  test.each([
    ['before any call', ''],
    ['with a handle open', 'await m.ProcessHandle.open(id)'],
    ['while an exit is awaited', '(await m.ProcessHandle.open(id)).exited'],
    ['while a batch is under way', 'void m.sendSignal(Array(2000).fill(id), 0)'],
    ['while it identifies', 'void m.identify(id.pid)'],
  ])('process.exit %s', async (_, script) => {
    const target = await startProcess('idle')
    const result = run(`const id = await m.identify(${target.pid}); ${script}; process.exit(7)`)
    expect(result).toMatchObject({ status: 7, signal: null, stderr: '' })
  })

  test('worker threads end in the middle of it', async () => {
    const target = await startProcess('idle')
    for (let round = 0; round < 20; round++) {
      const worker = new Worker(
        `import(${api}).then(async (m) => {
          const id = await m.identify(${target.pid})
          const handle = await m.ProcessHandle.open(id)
          void handle.exited
          for (;;) { void m.sendSignal(Array(500).fill(id), 0); require('node:worker_threads').parentPort.postMessage('go'); await new Promise(setImmediate) }
        })`,
        { eval: true },
      )
      await once(worker, 'message')
      await worker.terminate()
    }
    expect(await readState(target.pid)).toBe('S')
    await waitFor(async () => !(await threadNames()).includes('muster-exits'))
  })
})
