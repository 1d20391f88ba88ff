import {
  type Checks,
  checkIdentity,
  checkPid,
  ELSEWHERE,
  LOGGER,
  listOf,
  NUMBER,
  oneOf,
  PATH,
  RECORD,
} from '../arguments.js'
import type { MembersOptions } from '../control/members.js'
import type { SignalOptions } from '../control/signal.js'
import { EVENT_SOURCES } from '../engine/lifecycle.js'
import type { EngineOptions } from '../engine/options.js'
import type { SamplerOptions } from '../sampler/sampler.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { ListOptions } from './process_summary.js'

/** Options of `ProcessManager.open`; all but `sampler` are those of the engine that judges the monitors. */
export interface ProcessManagerOptions
  extends Pick<EngineOptions, 'journal' | 'events' | 'notifiers' | 'alertCapacity' | 'logger'> {
  /** Time between two samples of the monitors, milliseconds, 10 or more. Default 1000. */
  readonly intervalMs?: number
  /** Of the host's own `/proc`: processes are acted on. */
  readonly sampler?: Omit<SamplerOptions, 'procRoot'>
}

export const MANAGER_CHECKS: Checks<ProcessManagerOptions> = {
  intervalMs: ELSEWHERE,
  sampler: RECORD,
  journal: PATH,
  events: oneOf(EVENT_SOURCES),
  notifiers: listOf(ELSEWHERE),
  alertCapacity: NUMBER,
  logger: LOGGER,
}

/** A pid means the process that has it when the method is called; an identity that very process and nobody after it. */
export type ProcessTarget = number | ProcessIdentity

/** @throws ProcmusterError `INVALID_ARGUMENT` */
export function checkTarget(target: ProcessTarget): void {
  if (typeof target === 'number') checkPid(target)
  else checkIdentity(target)
}

/** Options of a signal to one process. */
export interface SignalProcessOptions extends SignalOptions {
  readonly to?: 'process'
}
/** Options of a signal to the process group, or the tree, of a process. */
export interface SignalMembersOptions extends MembersOptions {
  readonly to: 'group' | 'tree'
}

/** Options of `getTopProcesses`. */
export interface TopOptions extends Pick<ListOptions, 'commandLines'> {
  /** Default `cpu`. */
  readonly by?: 'cpu' | 'memory'
  /** Default 10. */
  readonly limit?: number
}
