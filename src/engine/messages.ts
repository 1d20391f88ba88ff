import type { ExitCause } from '../alerts/alert.js'
import { escapeForTerminal } from '../printable.js'
import type { Decision } from '../rules/decision.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { Table } from '../table/table.js'
import { wordedBytes, wordedClauses, wordedDuration } from '../words.js'

/** One line for people, free of control characters: `"node" (pid 12): rssBytes 612.3 MiB > 500 MiB`. */
export function breachMessage({
  identity,
  group,
  name,
  clauses,
}: Pick<Decision, 'identity' | 'group' | 'name' | 'clauses'>): string {
  const count = group?.count ?? 0
  const whom =
    identity === undefined ? `${count} ${count === 1 ? 'process' : 'processes'}` : `pid ${identity.pid}`
  return `${quotedName(name)} (${whom}): ${wordedClauses(clauses)}`
}

/** One line for people, free of control characters: `"node" (pid 12), watched by rule "r", ended: exit code 1`. */
export function deathMessage(
  name: string,
  { pid }: ProcessIdentity,
  rule: string,
  exit: ExitCause | undefined,
): string {
  const ended = `${quotedName(name)} (pid ${pid}), watched by rule ${quotedName(rule)}, ended`
  if (exit === undefined) return ended
  const { cpuTimeNs, peakRssBytes, lifetimeMs } = exit
  const life = [
    ...(lifetimeMs === undefined ? [] : [`after ${wordedDuration(lifetimeMs)}`]),
    ...(cpuTimeNs === undefined ? [] : [`${wordedDuration(cpuTimeNs / 1e6)} of CPU time`]),
    ...(peakRssBytes === undefined ? [] : [`at most ${wordedBytes(peakRssBytes)} of memory`]),
  ]
  const rest = life.length === 0 ? '' : ` (${life.join(', ')})`
  return `${ended}: ${howItEnded(exit)}${rest}`
}

function howItEnded({ exitCode, signal, coreDumped, oomKilled, sender }: ExitCause): string {
  if (oomKilled) return 'killed by the kernel, which was out of memory'
  if (signal === undefined) return exitCode === undefined ? 'how is not known' : `exit code ${exitCode}`
  const by =
    sender && ` sent by ${sender.name === undefined ? '' : `${quotedName(sender.name)} `}(pid ${sender.pid})`
  return `killed by ${signal}${by ?? ''}${coreDumped ? ', core dumped' : ''}`
}

/** What a group of a user is called: with the name as ps shows it, and the uid that is the key. */
export function nameOfUser(uid: string, table: Pick<Table, 'userName'>): string {
  const name = table.userName(Number(uid))
  return name === uid ? `user ${uid}` : `user ${name} (${uid})`
}

/** JSON leaves C1 controls and direction marks as they are. */
export function quotedName(name: string): string {
  return escapeForTerminal(JSON.stringify(name))
}
