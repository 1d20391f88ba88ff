import { identify } from '../control/handle.js'
import { ProcmusterError } from '../errors.js'
import type { Rule } from '../rules/schema/rule.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { Recovery, Succession } from './recovery.js'
import type { Binding, WatchedProcesses } from './watched.js'

/**
 * Gives each rule that names a pid the identity of the process that has it now, so that a later owner of the pid never
 * matches. A pid that an earlier run was restarting means the successor, also one that is yet to come; the end of what
 * the recovery still works on is made good by it, and is no death to tell of.
 * @throws ProcmusterError `PROCESS_GONE` when there is none
 */
export async function bindPids(
  rules: readonly Rule[],
  watched: WatchedProcesses,
  recovered: readonly Succession[],
  recovery: Recovery,
): Promise<Rule[]> {
  return Promise.all(
    rules.map(async (rule, ruleIndex) => {
      const { pid, startTicks } = rule.match ?? {}
      if (pid === undefined) return rule
      const { name } = rule
      const { identity, state } = await whoIs(name, pid, startTicks, recovered, recovery)
      watched.add({ ruleIndex, rule: name, identity, name: '', state, samples: 0 })
      return { ...rule, match: { ...rule.match, pid: identity.pid, startTicks: identity.startTicks } }
    }),
  )
}

async function whoIs(
  rule: string,
  pid: number,
  startTicks: number | undefined,
  recovered: readonly Succession[],
  { adopted, underway }: Recovery,
): Promise<Pick<Binding, 'identity' | 'state'>> {
  const isMeant = (identity: ProcessIdentity): boolean =>
    identity.pid === pid && (startTicks === undefined || identity.startTicks === startTicks)
  const restarted = recovered.find(({ identity }) => isMeant(identity))
  if (restarted !== undefined) return { identity: restarted.successor, state: 'alive' }
  const taken = adopted.find(({ identity }) => isMeant(identity))
  if (taken !== undefined) return { identity: taken.successor, state: 'ending' }
  const restarting = underway.find(({ identity }) => isMeant(identity))
  if (restarting !== undefined) return { identity: restarting.successor, state: 'ending' }
  const found = await identify(pid).catch((cause: unknown) => {
    if (!(cause instanceof ProcmusterError)) throw cause
    const { code, message } = cause
    throw new ProcmusterError(code, { message: `rule ${JSON.stringify(rule)}: ${message}`, pid, cause })
  })
  if (isMeant(found)) return { identity: found, state: 'alive' }
  throw new ProcmusterError('PROCESS_GONE', {
    message: `rule ${JSON.stringify(rule)}: process ${pid} that started at tick ${startTicks} has ended; another has its pid`,
    pid,
    startTicks,
  })
}
