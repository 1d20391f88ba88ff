import { readProcessFacts } from '../../public/inspect.js'
import { groupsNeeded, RuleEngine } from '../../public/rules.js'
import { Sampler } from '../../public/sampler.js'
import type { Rule } from '../../public/schema.js'
import type { ProcessIdentity, Table } from '../../public/table.js'

/** Processes that a rule is about: how many, and the first of them. */
export interface Matching {
  readonly count: number
  readonly processes: readonly { readonly pid: number; readonly name: string }[]
}

const SHOWN = 5

/** What each rule is about on this host now; the second sample is judged when the files of all processes have been read. */
export async function matchingNow(rules: readonly Rule[]): Promise<Matching[]> {
  const groups = groupsNeeded(rules)
  await using sampler = await Sampler.open({ groups })
  let table = await sampler.sample()
  await using engine = await RuleEngine.open({
    ...{ rules, groups, memTotalBytes: sampler.memTotalBytes, workers: 1 },
    readFacts: (slots, needs) => readProcessFacts(identitiesOf(table, slots), needs),
  })
  await engine.tick(table, performance.now())
  await engine.factsLearned
  table = await sampler.sample()
  await engine.tick(table, performance.now())
  return engine.matches().map((slots) => ({
    count: slots.length,
    processes: [...slots.subarray(0, SHOWN)].map((slot) => {
      const { pid, name } = table.at(slot)
      return { pid, name }
    }),
  }))
}

function identitiesOf({ columns }: Table, slots: Uint32Array): Pick<ProcessIdentity, 'pid' | 'startTicks'>[] {
  const { pid, startTicks } = columns
  return Array.from(slots, (slot) => ({ pid: pid[slot]!, startTicks: startTicks[slot]! }))
}
