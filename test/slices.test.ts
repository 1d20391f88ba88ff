import { afterEach, expect, it, vi } from 'vitest'
import { Slices } from '../dist/slices.js'

afterEach(() => vi.restoreAllMocks())

it('is over in time, and lets the event loop go on before the next', async () => {
  let now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  const slices = new Slices()
  for (let slice = 1; slice <= 5; slice++) {
    expect(slices.isOver).toBe(false)
    now += 10
    expect(slices.isOver).toBe(true)
    let hasTurned = false
    setImmediate(() => (hasTurned = true))
    await slices.next()
    expect(hasTurned).toBe(true)
  }
})
