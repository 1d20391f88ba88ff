import { describe, expect, it } from 'vitest'
import { GroupKeys } from '../../dist/engine/group_keys.js'
import { RuleMembers } from '../../dist/engine/rule_members.js'
import { Sampler } from '../../dist/index.js'
import type { Table } from '../../dist/table/table.js'

async function withSelf(use: (table: Table, slot: number) => Promise<void>): Promise<void> {
  await using sampler = await Sampler.open({ source: 'procfs' })
  const table = await sampler.sample()
  await use(table, table.slotOf(process.pid)!)
}

describe('group keys', () => {
  it('give everybody who asks at the same time the same answer', async () => {
    await withSelf(async (table, slot) => {
      const keys = new GroupKeys('/proc')
      const { identity } = table.at(slot)
      expect(keys.members(Uint32Array.of(slot), 'cgroup', table)).toBeUndefined() // begins to read
      const both = await Promise.all([keys.of('cgroup', identity, table), keys.of('cgroup', identity, table)])
      expect(both[0]).toMatch(/^cgroup:\//)
      expect(both[1]).toBe(both[0])
      const members = keys.members(Uint32Array.of(slot), 'cgroup', table)!
      expect([...members]).toEqual([[both[0], new Set([`${identity.pid}:${identity.startTicks}`])]])
    })
  })
})

describe('members of rules', () => {
  it('are looked up once per tick, however many ask', async () => {
    await withSelf(async (table, slot) => {
      let looks = 0
      const members = new RuleMembers({
        groupKeys: new GroupKeys('/proc'),
        slotsOf: (rule) => {
          looks++
          return rule === 'r' ? Uint32Array.of(slot) : undefined
        },
      })
      const { pid, startTicks } = table.at(slot).identity
      const uid = process.getuid!()
      for (let ask = 0; ask < 3; ask++) {
        expect(members.of('r', `user:${uid}`, table)).toEqual(new Set([`${pid}:${startTicks}`]))
        expect(members.of('r', `user:${uid + 1}`, table)).toEqual(new Set())
        expect(members.of('r', undefined, table)).toEqual(new Set([`${pid}:${startTicks}`]))
        expect(members.of('other', undefined, table)).toBeUndefined()
      }
      expect(looks).toBe(3)
      members.renew()
      members.of('r', undefined, table)
      expect(looks).toBe(4)
    })
  })
})
