import { join } from 'node:path'
import {
  allOperands,
  builtinRules,
  captureRestart,
  checkRules,
  comparisonsOf,
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
import { requireSource, type SampleSource } from '../source_option.js'
import { requireUser } from '../users.js'
import { quoted } from '../values.js'
import { readConfig, type WatchConfig } from './config.js'
import type { WatchFlags } from './options.js'
import { prepareDirectory, prepareJournal } from './places.js'
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
  readonly flags: Pick<WatchFlags, 'config' | 'json' | 'once' | 'verbose' | 'lowerOwnPriority'>
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
const DEFAULT_GRACE_MS = 10_000

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
  const keeper = directory === undefined ? rules.find((rule) => hasAction(rule, 'evidence')) : undefined
  if (keeper !== undefined) {
    faults.add(
      EXIT.usage,
      `--config ${quoted(flags.config ?? '')}: rule ${quoted(keeper.name)} keeps evidence, but there is no directory; add "directory:" or -d`,
    )
  }
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
  }
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

function rulesOf(
  flags: WatchFlags,
  config: WatchConfig | undefined,
  identity: ProcessIdentity | undefined,
  directory: string | undefined,
  faults: FaultList,
): Rule[] {
  const match: Rule['match'] = {
    ...(identity && { pid: identity.pid, startTicks: identity.startTicks }),
    ...(flags.name !== undefined && { name: flags.name }),
    ...(flags.user !== undefined && { user: flags.user }),
  }
  const actions: Rule['actions'] = [
    ...(directory === undefined ? [] : ['evidence' as const]),
    ...(flags.restart ? ['restart' as const] : []),
  ]
  const rules: Rule[] = []
  if (flags.thresholdPercent !== undefined) {
    const when = `memoryPercent >= ${flags.thresholdPercent}%`
    rules.push({ name: 'memory threshold', match, when, actions })
  }
  for (const when of flags.rules) {
    const rule = { name: when.trim().slice(0, 100), match, when, actions }
    if (!isRight(rule, faults)) continue
    if (flags.once && takesTime(rule)) {
      faults.add(EXIT.malformed, `--rule ${quoted(when)} takes time to be known; leave out --once`)
    }
    rules.push(rule)
  }
  const builtin = Object.fromEntries(
    [...flags.builtin, ...(config?.builtin ?? [])].map((name) => [name, true]),
  )
  const all = [...rules, ...builtinRules(builtin), ...(config?.rules ?? [])]
  const names = new Set<string>()
  for (const { name } of all) {
    if (names.has(name))
      faults.add(EXIT.malformed, `two rules are named ${quoted(name)}; give each its own name`)
    names.add(name)
  }
  return all
}

function isRight(rule: Rule, faults: FaultList): boolean {
  try {
    parseWhen(rule.when)
    checkRules([rule])
    return true
  } catch (error) {
    // The library's message begins with the condition, which the flag has named already.
    const reason = messageOf(error)
      .replace(`condition ${JSON.stringify(rule.when)}, `, '')
      .replace(`rule ${JSON.stringify(rule.name)}, when: `, '')
      .replace(/^(.* is of many processes);.*$/, '$1; put the rule into a --config, with a `per`')
    faults.add(EXIT.malformed, `--rule ${quoted(rule.when)}: ${reason}`)
    return false
  }
}

export function hasAction({ actions = [] }: Rule, type: 'evidence' | 'restart'): boolean {
  return actions.some((action) => action === type || (typeof action === 'object' && action.type === type))
}

/** For --once: a duration cannot pass within one look. */
function withoutDuration(rule: Rule): Rule {
  return { ...rule, when: printWhen({ ...parseWhen(rule.when), forMs: 0 }) }
}

/** Whether it is unknown at a first look, whatever the process does. */
function takesTime({ when, enabled }: Rule): boolean {
  const { condition } = parseWhen(when)
  if (enabled === false) return false
  const isOverTime = ({ kind }: { kind: string }) =>
    kind === 'window' || kind === 'timeTo' || kind === 'stateSeconds' || kind === 'exitRate'
  return (
    comparisonsOf(condition).some(({ kind }) => kind === 'leak') ||
    [...allOperands(condition)].some(isOverTime)
  )
}

/** A rate exists from the second sample on. */
function needsRate({ when }: Rule): boolean {
  return /cpuPercent|PerSecond/.test(printWhen(parseWhen(when)))
}
