import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readRequests, sendRequest, withdrawRequest } from '../../dist/public/alerts.js'
import { Bench } from '../engine/engines.js'

let bench: Bench
beforeEach(async () => {
  bench = await Bench.open()
  await writeFile(bench.journal, '', { mode: 0o600 })
})
afterEach(() => bench.clean())

const silence = () => ({
  ...{ type: 'silence' as const, match: { name: 'n' }, untilMs: Date.now() + 600_000, by: 'me' },
})

it('a request that waits is read, and taken back before a start; the next start takes the others', async () => {
  expect(await readRequests(bench.journal)).toEqual([])
  const first = await sendRequest(bench.journal, silence())
  const second = await sendRequest(bench.journal, silence())
  await writeFile(join(`${bench.journal}.requests`, 'none.json'), '{', { mode: 0o600 })
  const waiting = await readRequests(bench.journal)
  expect(waiting.map(({ id }) => id).sort()).toEqual([first.id, second.id].sort())
  expect(waiting[0]!.request).toMatchObject({ type: 'silence', match: { name: 'n' }, by: 'me' })
  expect(await withdrawRequest(bench.journal, first.id)).toBe(true)
  for (const id of [first.id, '../x', 'no']) expect(await withdrawRequest(bench.journal, id)).toBe(false)

  const engine = await bench.start({ rules: [] })
  await expect.poll(() => engine.silences(), { timeout: 10_000 }).toMatchObject([{ id: second.id }])
  await expect.poll(() => readRequests(bench.journal), { timeout: 10_000 }).toEqual([])
  await engine.close()
})

it('one that was carried out, and left by a crash, is a silence in force: it is not to be taken back', async () => {
  const { id } = await sendRequest(bench.journal, silence())
  const engine = await bench.start({ rules: [] })
  await expect.poll(() => engine.silences().length, { timeout: 10_000 }).toBe(1)
  await engine.close()
  await writeFile(join(`${bench.journal}.requests`, `${id}.json`), JSON.stringify(silence()), { mode: 0o600 })
  expect(await withdrawRequest(bench.journal, id)).toBe(false)
})

it('nothing is read from where others could have left it', async () => {
  await sendRequest(bench.journal, silence())
  await chmod(`${bench.journal}.requests`, 0o777)
  await expect(readRequests(bench.journal)).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
})
