import { expect, it } from 'vitest'
import { Slices } from '../dist/slices.js'

it('lets the event loop go on between slices of long work', async () => {
  let turns = 0
  let isDone = false
  const turn = () => {
    turns++
    if (!isDone) setImmediate(turn)
  }
  setImmediate(turn)
  const slices = new Slices()
  let slicesDone = 0
  while (slicesDone < 5) {
    if (!slices.isOver) continue
    await slices.next()
    expect(slices.isOver).toBe(false)
    slicesDone++
  }
  isDone = true
  expect(turns).toBeGreaterThanOrEqual(5)
})
