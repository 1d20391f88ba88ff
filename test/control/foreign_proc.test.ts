import { accessSync, constants } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { MUSTER } from '../cli/muster.js'
import { canConfine, evaluateConfined, runConfined } from '../fixtures/confined_node.js'
import { startProcess, stopAll } from '../fixtures/processes.js'

afterEach(stopAll)

const API = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)
const canNest = canConfine('pidNamespaceOuterProc', 'the /proc of another PID namespace')

const LAST_PID = '/proc/sys/kernel/ns_last_pid'
const canChoosePid = canNest && isWritable(LAST_PID)
if (!canChoosePid) console.warn(`SKIPPED: a stranger with the same pid: ${LAST_PID} cannot be written`)

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

test.runIf(canChoosePid)('below the /proc of another PID namespace nobody is taken for another', async () => {
  const { pid } = await startProcess('idle', { name: 'outer' })
  const said = await evaluateConfined(
    'pidNamespaceOuterProc',
    `
    import { spawn } from 'node:child_process'
    import { once } from 'node:events'
    import { writeFileSync } from 'node:fs'
    writeFileSync('${LAST_PID}', '${pid - 1}')
    const stranger = spawn('sleep', ['1000'])
    const { uncapProcess, identify, Sampler, sendSignal, setPriority, signalTree, ProcessHandle } = await import(${API})
    const codeOf = (promise) => promise.then(() => 'done', (error) => error.code)
    const sampler = await Sampler.open()
    const row = (await sampler.sample()).get(${pid})
    const { identity } = row
    const [signalled] = await sendSignal([identity], 'SIGKILL')
    const [niced] = await setPriority([identity], 10)
    const { roots } = await signalTree(identity, 'SIGKILL').catch(({ code }) => ({ roots: code }))
    const [uncapped] = await uncapProcess([identity])
    console.log(JSON.stringify({
      samePid: stranger.pid === ${pid}, name: row.name, settled: identity.settled,
      identified: await codeOf(identify(${pid})), opened: await codeOf(ProcessHandle.open(identity)),
      signalled: signalled.error?.code, niced: niced.error?.code, roots,
      uncapped: uncapped.error?.code,
      alive: stranger.exitCode === null && stranger.signalCode === null && stranger.kill(0),
    }))
    await sampler.close()
    const ended = once(stranger, 'exit')
    stranger.kill('SIGKILL')
    await ended`,
  )
  const code = 'UNSUPPORTED'
  expect(said).toEqual({
    ...{ samePid: true, name: 'outer', settled: true, alive: true },
    ...{
      identified: code,
      opened: code,
      signalled: code,
      niced: code,
      roots: code,
      uncapped: code,
    },
  })
})

test.runIf(canNest)('a search there says whom it cannot tell, and finds nobody in silence', async () => {
  const { pid } = await startProcess('idle')
  for (const args of [
    ['who', 'libc'],
    ['find', '--library', 'libc', '--pids'],
  ]) {
    const { code, stdout, stderr } = await runConfined('pidNamespaceOuterProc', [MUSTER, ...args])
    expect({ code, stdout }, args[0]).toEqual({ code: 5, stdout: '' })
    expect(stderr, args[0]).toMatch(/^muster: not looked into: \d+ processes, the first \(.*\)\n/)
  }
  const info = await runConfined('pidNamespaceOuterProc', [MUSTER, 'info', String(pid)])
  expect(info.stderr).toMatch(
    /^muster: process \d+ cannot be told .*\/proc is not that of this PID namespace; mount it anew.*\n$/,
  )
  expect(info).toMatchObject({ code: 1, stdout: '' })
})
