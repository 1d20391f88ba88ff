import { identify } from '../control/handle.js'
import { ProcmusterError } from '../errors.js'
import type { Rule } from '../rules/rule.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { Succession } from './recovery.js'
import type { WatchedProcesses } from './watched.js'

/**
 * Gives each rule that names a pid the identity of the process that has it now, so that a later owner of the pid never
 * matches. A pid that an earlier run was restarting means the successor; the end of an adopted one is made good by
 * the recovery that goes on, and is no death to tell of.
 * @throws ProcmusterError `PROCESS_GONE` when there is none
 */
export async function bindPids(
  rules: readonly Rule[],
  watched: WatchedProcesses,
  recovered: readonly Succession[],
  adopted: readonly Succession[],
): Promise<Rule[]> {
  return Promise.all(
    rules.map(async (rule, ruleIndex) => {
      const { pid, startTicks } = rule.match ?? {}
      if (pid === undefined) return rule
      const { name } = rule
      const identity = await whoIs(name, pid, startTicks, [...recovered, ...adopted])
      const state = adopted.some(({ successor }) => successor === identity) ? 'ending' : 'alive'
      watched.add({ ruleIndex, rule: name, identity, name: '', state, samples: 0 })
      return { ...rule, match: { ...rule.match, pid: identity.pid, startTicks: identity.startTicks } }
    }),
  )
}

async function whoIs(
  rule: string,
  pid: number,
  startTicks: number | undefined,
  successions: readonly Succession[],
): Promise<ProcessIdentity> {
  const restarted = successions.find(
    ({ identity }) =>
      identity.pid === pid && (startTicks === undefined || identity.startTicks === startTicks),
  )
  if (restarted !== undefined) return restarted.successor
  const found = await identify(pid)
  if (startTicks === undefined || found.startTicks === startTicks) return found
  throw new ProcmusterError('PROCESS_GONE', {
    message: `rule ${JSON.stringify(rule)}: process ${pid} that started at tick ${startTicks} has ended; another has its pid`,
    pid,
    startTicks,
  })
}
