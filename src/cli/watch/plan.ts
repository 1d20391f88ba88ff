import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  captureRestart,
  type GovernorOptions,
  type NotifierSpec,
  type ProcessIdentity,
  type ProcessRow,
  ProcmusterError,
  parseWhen,
  printWhen,
  type Rule,
  releaseRestart,
} from '../../index.js'
import { EXIT, exitCodeOf } from '../exit_codes.js'
import { FaultList, messageOf } from '../fault.js'
import { DEFAULT_GRACE_MS } from '../grace.js'
import { requireSource } from '../require_source.js'
import type { SampleSource } from '../source_option.js'
import { requireUser } from '../users.js'
import { readConfig, type WatchConfig } from './config.js'
import type { WatchFlags } from './options.js'
import { prepareDirectory, prepareJournal } from './places.js'
import { rulesOf, takesTime } from './plan_rules.js'
import { findTarget, requireSignalPermission } from './target.js'

/** All that a watch needs, checked: from here on nothing is wrong that could be known before it starts. */
export interface WatchPlan {
  readonly rules: readonly Rule[]
  /** The one process of -p. */
  readonly target: WatchTarget | undefined
  /** Samples that --once has to wait for. */
  readonly looksForOnce: number
  readonly intervalMs: number
  readonly graceMs: number
  /** Undefined: the engine's own. */
  readonly outcomeWindowMs: number | undefined
  readonly directory: string | undefined
  readonly journal: string | undefined
  readonly environ: boolean
  readonly dryRun: boolean
  readonly source: SampleSource
  readonly notifiers: readonly NotifierSpec[]
  readonly governor: GovernorOptions
  /** With --once: rules whose condition takes time to be known. */
  readonly notInOneLook: readonly string[]
  readonly flags: WatchFlags
  /** The file of --config can be read again while the watch runs. */
  readonly readsAgain: boolean
  /** What it said at the start. */
  readonly config: WatchConfig | undefined
}

export interface WatchTarget {
  readonly identity: ProcessIdentity
  readonly name: string
  /** A restart of it that an earlier run did not finish: the process is gone, and what takes its place is meant. */
  readonly unfinished?: string
  /** It is what an earlier run made of the pid that was given. */
  readonly successorOf?: number
}

const DEFAULT_INTERVAL_MS = 1000

/** Checks against the host what the flags name, and creates what they ask for; throws all faults at once. */
export async function planWatch(flags: WatchFlags): Promise<WatchPlan> {
  const config = flags.config === undefined ? undefined : await readConfig(flags.config)
  const faults = new FaultList()
  const directory = flags.directory ?? config?.directory
  const journal = flags.journal ?? config?.journal ?? (directory && join(directory, 'muster.jsonl'))
  const found = flags.pid === undefined ? undefined : await findTarget(flags.pid, journal, faults)
  const target = found?.target
  if (flags.user !== undefined) await requireUser(flags.user, faults)
  const source = flags.source ?? config?.source ?? 'auto'
  requireSource(source, faults, flags.source ? '--source' : 'source')
  if (found?.row && flags.restart) await requireRestart(found.row, faults)

  const rules = rulesOf(flags, config, target?.identity, directory, faults)
  faults.throwIfAny()

  if (directory !== undefined)
    await prepareDirectory(directory, flags.directory ? '-d/--directory' : 'directory')
  if (journal !== undefined) await prepareJournal(journal, flags.journal ? '--journal' : 'journal')
  return {
    looksForOnce: rules.some(needsRate) ? 2 : 1,
    rules: flags.once ? rules.map(withoutDuration) : rules,
    target,
    intervalMs: flags.intervalMs ?? config?.intervalMs ?? DEFAULT_INTERVAL_MS,
    graceMs: flags.graceMs ?? config?.graceMs ?? DEFAULT_GRACE_MS,
    outcomeWindowMs: config?.outcomeWindowMs,
    directory,
    journal,
    environ: flags.environ || config?.environ === true,
    dryRun: flags.dryRun || config?.dryRun === true,
    source,
    notifiers: config?.notifiers ?? [],
    governor: config?.governor ?? {},
    notInOneLook: flags.once ? rules.filter(takesTime).map(({ name }) => name) : [],
    flags,
    config,
    readsAgain: !flags.once && flags.config !== undefined && (await isRegularFile(flags.config)),
  }
}

/** A pipe, as of `--config <(command)`, has been read. */
async function isRegularFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() === true
}

/** What a breach would fail at is said now: no right to signal it, a program that was replaced since. */
async function requireRestart(row: ProcessRow, faults: FaultList): Promise<void> {
  if (!requireSignalPermission(row, faults)) return
  try {
    releaseRestart(await captureRestart(row.identity))
  } catch (error) {
    const exitCode =
      error instanceof ProcmusterError ? (exitCodeOf[error.code] ?? EXIT.restartFailed) : EXIT.failure
    faults.add(exitCode, `-r/--restart: ${messageOf(error)}`)
  }
}

/** For --once: a duration cannot pass within one look. */
function withoutDuration(rule: Rule): Rule {
  return { ...rule, when: printWhen({ ...parseWhen(rule.when), forMs: 0 }) }
}

/** A rate exists from the second sample on. */
function needsRate({ when }: Rule): boolean {
  return /cpuPercent|PerSecond/.test(printWhen(parseWhen(when)))
}
