import { describe, expect, it } from 'vitest'
import { RuleMembers } from '../../dist/engine/rule_members.js'
import { Sampler } from '../../dist/index.js'

describe('members of rules', () => {
  it('are looked up once per tick, however many ask, and are unknown while the group of one is', async () => {
    await using sampler = await Sampler.open({ source: 'procfs' })
    const table = await sampler.sample()
    const slot = table.slotOf(process.pid)!
    const uid = process.getuid!()
    let looks = 0
    let unit: string | undefined
    const members = new RuleMembers({
      judging: {
        groupOf: (kind) => ({ user: `user:${uid}`, all: 'all:', unit })[kind as string],
        slotsOf: (rule) => {
          looks++
          return rule === 'r' ? Uint32Array.of(slot) : undefined
        },
      },
    })
    const { pid, startTicks } = table.at(slot).identity
    const self = new Set([`${pid}:${startTicks}`])
    for (let ask = 0; ask < 3; ask++) {
      expect(members.of('r', `user:${uid}`, table)).toEqual(self)
      expect(members.of('r', `user:${uid + 1}`, table)).toEqual(new Set())
      expect(members.of('r', undefined, table)).toEqual(self)
    }
    expect(looks).toBe(2)
    members.renew()
    members.of('r', undefined, table)
    expect(looks).toBe(3)

    expect(members.of('other', undefined, table)).toBeUndefined()
    expect(members.of('r', 'unit:a.service', table)).toBeUndefined()
    unit = 'unit:a.service'
    expect(members.of('r', 'unit:a.service', table)).toEqual(self)
  })
})
