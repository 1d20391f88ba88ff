import { afterEach, describe, expect, it } from 'vitest'
import { BUILTIN_RULES, builtinRules, checkRules } from '../../dist/index.js'
import { Bench } from '../engine/engines.js'
import { stopAll, waitFor } from '../fixtures/processes.js'
import { startWaits } from '../fixtures/waits.js'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.clean()
  bench = undefined
  await stopAll()
})

describe('built-in rules', () => {
  it('are those that are asked for, with their own settings or others', () => {
    expect(builtinRules({})).toEqual([])
    expect(builtinRules({ zombies: false })).toEqual([])
    expect(builtinRules({ zombies: true, stuck: true }).map(({ name, when }) => [name, when])).toEqual([
      ['zombies', 'stateSeconds(Z) > 60'],
      ['stuck', 'stateSeconds(D) > 120'],
    ])
    expect(
      builtinRules({ zombies: { seconds: 5, severity: 'critical', actions: ['nudgeParent'] } }),
    ).toMatchObject([{ when: 'stateSeconds(Z) > 5', severity: 'critical', actions: ['nudgeParent'] }])
    expect(BUILTIN_RULES).toEqual(['zombies', 'stuck'])
  })

  it('are right rules', () => {
    const checked = checkRules(builtinRules({ zombies: true, stuck: { actions: ['evidence'] } }))
    expect(checked.map(({ name }) => name)).toEqual(['zombies', 'stuck'])
  })

  it('find a real zombie and a really stuck process, advise, and nudge', async () => {
    const zombie = await startWaits('nudged')
    const stuck = await startWaits('vfork')
    bench = await Bench.open()
    // Only these: the host may have zombies of its own, whose parents are not ours to nudge. Not at once: an alert that is
    // over before its advice is there goes without.
    const [zombies, stuckOnes] = builtinRules({
      zombies: { seconds: 0.2, actions: [{ type: 'nudgeParent', after: '4s' }] },
      stuck: { seconds: 0.2 },
    })
    const engine = await bench.start({
      rules: [
        { ...zombies!, match: { pid: zombie.pid } },
        { ...stuckOnes!, match: { pid: stuck.pid } },
      ],
    })
    const alertOf = (pid: number) =>
      waitFor(() => engine.alerts().find(({ identity }) => identity?.pid === pid))
    expect((await alertOf(zombie.pid)).advice?.join('\n')).toContain(
      `muster zombies ${zombie.parent} --nudge`,
    )
    expect((await alertOf(stuck.pid)).advice?.at(-1)).toMatch(/^signals, SIGKILL too/)
    const nudge = await waitFor(async () =>
      (await bench!.recordsOf('action-done')).find(({ identity }) => identity.pid === zombie.pid),
    )
    expect(nudge).toMatchObject({ action: 'nudgeParent', status: 'done', result: { reaped: true } })
  })
})
