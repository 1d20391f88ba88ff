import { Engine, ProcmusterError, type Rule } from '../../index.js'
import { messageOf } from '../fault.js'

const LOOK_MS = 200

/**
 * How many processes of this host each rule is about, by its name; empty, with a word on stderr, where the host cannot tell:
 * a file may well be checked on another host than the one that it is for.
 */
export async function matchesNow(rules: readonly Rule[]): Promise<ReadonlyMap<string, number>> {
  try {
    await using engine = await Engine.start({
      rules: rules.map((rule) => ({ ...rule, actions: [] })),
      dryRun: true,
      events: 'off',
      intervalMs: LOOK_MS,
      workers: 1,
    })
    const counts = await engine.matches()
    return new Map(counts.map(({ rule, processes }) => [rule, processes]))
  } catch (error) {
    if (!(error instanceof ProcmusterError)) throw error
    process.stderr.write(`muster: what matches on this host cannot be told: ${messageOf(error)}\n`)
    return new Map()
  }
}
