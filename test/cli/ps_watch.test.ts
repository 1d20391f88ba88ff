import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { startProcess, stopAll, waitFor } from '../fixtures/processes.js'
import { endRuns, MUSTER, Run } from './muster.js'

afterEach(async () => {
  await stopAll()
  await endRuns()
})

test('--json has an array a line, rates of the time since the line before, and ends at Ctrl-C', async () => {
  const { pid, child } = await startProcess('spin')
  const columns = ['--columns', 'pid,state,cpu']
  const run = new Run(['ps', '--watch', '0.3', '--json', '--pid', String(pid), ...columns])
  await run.said(/\n.*\n/)
  expect(child.kill('SIGSTOP')).toBe(true)
  await run.said(/"state":"T","cpuPercent":0\}\]\n/)
  run.child.kill('SIGINT')
  const { code, stdout, stderr } = await run.ended
  expect({ code, stderr }).toEqual({ code: 130, stderr: '' })
  const looks = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { pid: number; cpuPercent: number }[])
  expect(looks[0]).toHaveLength(1)
  expect(looks[0]![0]!.pid).toBe(pid)
  expect(Math.max(...looks.map(([row]) => row!.cpuPercent))).toBeGreaterThan(10)
})

test('where stdout is no terminal the views follow each other, with a blank line between', async () => {
  const { pid } = await startProcess('idle', { name: 'watched' })
  const run = new Run(['ps', '-w', '0.1', '--pid', String(pid), '--columns', 'pid,name'])
  await run.said(/NAME\n.*watched\n\n.*NAME\n.*watched\n\n/)
  run.child.kill('SIGTERM')
  const { code, stdout } = await run.ended
  expect(code).toBe(143)
  expect(stdout).not.toContain('\u001b')
})

test('on a terminal it is drawn in place, as many lines as fit, cut to its width', async () => {
  const command = `stty rows 6 cols 50; exec '${process.execPath}' '${MUSTER}' ps aux --watch 0.1`
  const script = spawn('script', ['-qec', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'xterm', NO_COLOR: '1' },
  })
  try {
    const ended = once(script, 'close')
    let stdout = ''
    script.stdout.setEncoding('utf8').on('data', (chunk) => {
      stdout += chunk
    })
    const frames = () => stdout.split('\u001b[H').slice(1, -1)
    await waitFor(() => frames().length >= 2)
    script.stdin.write('\u0003')
    expect((await ended)[0]).toBe(130)
    for (const frame of frames()) {
      const lines = frame.replace('\u001b[J', '').split('\u001b[K\r\n').slice(0, -1)
      expect(lines[0]).toMatch(/^USER +PID .*STAT/)
      expect(lines).toHaveLength(5)
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(50)
    }
  } finally {
    script.kill('SIGKILL')
  }
})
