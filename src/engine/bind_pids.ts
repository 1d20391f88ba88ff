import { identify } from '../control/handle.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { Recovery, Succession } from './recovery.js'
import type { Rulebook, RuleEntry } from './rulebook.js'
import type { Binding, WatchedProcesses } from './watched.js'

/** A rule that names its process by pid. */
interface Named {
  readonly rule: string
  readonly pid: number
  readonly startTicks: number | undefined
  isIt(identity: ProcessIdentity): boolean
}
type Meant = Pick<Binding, 'identity' | 'state'> & Partial<Pick<Binding, 'name' | 'samples'>>
/** The process that is meant, where it is not simply the one that has the pid now. */
export type FindMeant = (named: Named) => Meant | undefined

/**
 * Gives each rule that names a pid the identity of the process that has it now, so that a later owner of the pid never
 * matches.
 * @throws ProcmusterError `PROCESS_GONE` when there is none
 */
export async function bindPids(
  rules: readonly Pick<RuleEntry, 'text' | 'checked'>[],
  watched: WatchedProcesses,
  findMeant: FindMeant,
): Promise<RuleEntry[]> {
  // All are waited for, so that none is added after this has failed.
  const results = await Promise.allSettled(
    rules.map(async ({ text, checked }): Promise<RuleEntry> => {
      const { pid, startTicks } = text.match ?? {}
      if (pid === undefined || !checked.enabled) return { text, checked, bound: text }
      const rule = checked.name
      const isIt = (identity: ProcessIdentity): boolean =>
        identity.pid === pid && (startTicks === undefined || identity.startTicks === startTicks)
      const named: Named = { rule, pid, startTicks, isIt }
      const meant = findMeant(named) ?? (await whoHas(named))
      watched.add({ name: '', samples: 0, ...meant, rule })
      const { identity } = meant
      const match = { ...text.match, pid: identity.pid, startTicks: identity.startTicks }
      return { text, checked, bound: { ...text, match } }
    }),
  )
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}

/**
 * At the start a pid that an earlier run was restarting means the successor, also one that is yet to come; the end of what
 * the recovery still works on is made good by it, and is no death to tell of.
 */
export function meantAfterRecovery(
  recovered: readonly Succession[],
  { adopted, underway }: Recovery,
): FindMeant {
  return ({ isIt }) => {
    const restarted = recovered.find(({ identity }) => isIt(identity))
    if (restarted !== undefined) return { identity: restarted.successor, state: 'alive' }
    const taken = [...adopted, ...underway].find(({ identity }) => isIt(identity))
    return taken && { identity: taken.successor, state: 'ending' }
  }
}

/**
 * While an engine runs, a rule that changes goes on with its process if it names that as before: a restart may have given it
 * another pid since. A process that is being restarted for another rule ends by our doing.
 */
export function meantNow(watched: WatchedProcesses, book: Rulebook): FindMeant {
  return ({ rule, pid, startTicks, isIt }) => {
    const before = book.get(rule)?.text.match
    const isNamedAsBefore = before?.pid === pid && before.startTicks === startTicks
    return isNamedAsBefore
      ? watched.all.find((binding) => binding.rule === rule)
      : watched.all.find(({ identity, state }) => state === 'ending' && isIt(identity))
  }
}

async function whoHas({ rule, pid, startTicks, isIt }: Named): Promise<Meant> {
  const found = await identify(pid).catch((cause: unknown) => {
    if (!(cause instanceof ProcmusterError)) throw cause
    const { code, message } = cause
    throw new ProcmusterError(code, { message: `rule ${JSON.stringify(rule)}: ${message}`, pid, cause })
  })
  if (isIt(found)) return { identity: found, state: 'alive' }
  throw new ProcmusterError('PROCESS_GONE', {
    message: `rule ${JSON.stringify(rule)}: process ${pid} that started at tick ${startTicks} has ended; another has its pid`,
    pid,
    startTicks,
  })
}
