import { Engine, ProcmusterError } from '../../index.js'
import { EXIT } from '../exit_codes.js'
import { fail, messageOf } from '../fault.js'
import { quoted } from '../values.js'
import { endOfAction } from './earlier_run.js'
import type { WatchPlan } from './plan.js'

const ONCE_INTERVAL_MS = 200
/** Of all sets together; the oldest make room. A breach that comes back all night must not fill the disk. */
const EVIDENCE_BUDGET_BYTES = 2 ** 30
const REFUSED_BY_HOST = new Set(['INVALID_ARGUMENT', 'OUT_OF_RANGE', 'PROCESS_GONE'])

/** The engine of a checked watch; what only the host, the journal or another engine could refuse ends the command. */
export async function startEngine(plan: WatchPlan): Promise<Engine> {
  const {
    rules,
    graceMs,
    outcomeWindowMs,
    dryRun,
    source,
    journal,
    directory,
    environ,
    notifiers,
    governor,
  } = plan
  try {
    return await Engine.start({
      ...{ rules, graceMs, dryRun, notifiers, governor, sampler: { source } },
      intervalMs: plan.flags.once ? Math.min(ONCE_INTERVAL_MS, plan.intervalMs) : plan.intervalMs,
      ...(outcomeWindowMs !== undefined && { outcomeWindowMs }),
      ...(journal !== undefined && { journal }),
      ...(directory !== undefined && {
        evidence: { directory, environ, budgetBytes: EVIDENCE_BUDGET_BYTES, prune: true },
      }),
    })
  } catch (error) {
    // What is left to go wrong at the start: the journal, or another engine that writes it.
    const isJournal = error instanceof ProcmusterError && (error.code === 'IO_ERROR' || error.code === 'BUSY')
    if (isJournal) fail(EXIT.directory, messageOf(error))
    if (error instanceof ProcmusterError && error.code === 'PROCESS_GONE') await failAsGone(plan, error)
    const { config } = plan.flags
    // What only the host could refuse of the file: a user that it does not know, a pid that is not there.
    if (config !== undefined && error instanceof ProcmusterError && REFUSED_BY_HOST.has(error.code)) {
      const exitCode = error.code === 'PROCESS_GONE' ? EXIT.noSuchProcess : EXIT.config
      fail(exitCode, `--config ${quoted(config)}: ${messageOf(error)}`)
    }
    throw error
  }
}

/** The process of -p is not there, or ended since it was checked. */
async function failAsGone({ target, journal, dryRun }: WatchPlan, error: ProcmusterError): Promise<void> {
  if (target === undefined) return
  const { pid } = target.identity
  if (target.unfinished === undefined) {
    fail(EXIT.noSuchProcess, `-p/--pid "${pid}" ended before the watch began: ${messageOf(error)}`)
  }
  const why = dryRun
    ? 'a dry run does not finish that; leave out --dry-run'
    : `that was given up: ${(journal && (await endOfAction(journal, target.unfinished))) ?? 'see the journal'}`
  fail(EXIT.noSuchProcess, `-p/--pid "${pid}": no such process; an earlier run was restarting it, and ${why}`)
}
