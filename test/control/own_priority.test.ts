import { expect, test } from 'vitest'
import { runNodeScript } from '../fixtures/node_script.js'

// In a process of its own: what is lowered cannot be raised again without a privilege.
const script = `
  import { native } from '${new URL('../../dist/native.js', import.meta.url).href}'
  import { readdirSync, readFileSync } from 'node:fs'
  import { readFile } from 'node:fs/promises'
  await readFile('/proc/self/stat') // libuv's pool threads exist now
  const result = m.lowerOwnPriority()
  await readFile('/proc/self/stat')
  const threads = readdirSync('/proc/self/task').map((tid) => {
    const stat = readFileSync('/proc/self/task/' + tid + '/stat', 'latin1')
    return { nice: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]), io: native.getIoPriority(Number(tid)) }
  })
  console.log(JSON.stringify({ result, threads }))
`

test('every thread of the process is lowered, in CPU and in I/O', async () => {
  const { result, threads } = (await runNodeScript(script)) as {
    result: { nice: number; ioLevel: number }
    threads: { nice: number; io: number }[]
  }
  expect(result).toEqual({ nice: 10, ioLevel: 7 })
  expect(threads.length).toBeGreaterThan(4)
  for (const thread of threads) expect(thread).toEqual({ nice: 10, io: (2 << 13) | 7 })
})
