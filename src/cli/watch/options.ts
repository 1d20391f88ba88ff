import { BUILTIN_RULES, type BuiltinRule, checkRules } from '../../index.js'
import { EXIT } from '../exit_codes.js'
import { type FaultList, messageOf } from '../fault.js'
import { GRACE } from '../grace.js'
import { readSource, SAMPLE_SOURCES, type SampleSource } from '../source_option.js'
import { didYouMean } from '../suggest.js'
import { PID_MAX, quoted, readNumber, readText, splitList } from '../values.js'

/** As commander hands them over. */
export interface RawWatchOptions {
  pid?: string
  threshold?: string
  interval?: string
  directory?: string
  restart?: boolean
  name?: string
  user?: string
  rule?: string[]
  builtin?: string
  config?: string
  grace?: string
  journal?: string
  dryRun?: boolean
  json?: boolean
  once?: boolean
  environ?: boolean
  verbose?: boolean
  source?: string
  /** commander's form of --no-nice. */
  nice?: boolean
}

/** The flags, each of the right form; whether they name things that exist is checked after. */
export interface WatchFlags {
  readonly pid: number | undefined
  readonly thresholdPercent: number | undefined
  readonly intervalMs: number | undefined
  readonly directory: string | undefined
  readonly restart: boolean
  readonly name: string | undefined
  readonly user: string | undefined
  readonly rules: readonly string[]
  readonly builtin: readonly BuiltinRule[]
  readonly config: string | undefined
  readonly graceMs: number | undefined
  readonly journal: string | undefined
  readonly dryRun: boolean
  readonly json: boolean
  readonly once: boolean
  readonly environ: boolean
  readonly verbose: boolean
  readonly source: SampleSource | undefined
  readonly lowerOwnPriority: boolean
}

const DAY_SECONDS = 86_400

const PID = { flag: '-p/--pid', wanted: `a PID from 1 to ${PID_MAX}`, min: 1, max: PID_MAX, integer: true }
const THRESHOLD = {
  flag: '-t/--threshold',
  wanted: 'a percentage of physical memory above 0 and at most 100, for example 80',
  min: 0,
  aboveMin: true,
  max: 100,
  suffix: '%',
}
const INTERVAL = {
  flag: '-i/--interval',
  wanted: `seconds from 0.1 to ${DAY_SECONDS}, for example 5`,
  min: 0.1,
  max: DAY_SECONDS,
}

export function readWatchFlags(raw: RawWatchOptions, faults: FaultList): WatchFlags {
  const number = (value: string | undefined, flag: Parameters<typeof readNumber>[1]): number | undefined =>
    value === undefined ? undefined : readNumber(value, flag, faults)
  const text = (value: string | undefined, flag: string, wanted: string): string | undefined =>
    value === undefined ? undefined : readText(value, flag, wanted, faults)
  const milliseconds = (seconds: number | undefined): number | undefined =>
    seconds === undefined ? undefined : Math.round(seconds * 1000)

  const flags: WatchFlags = {
    pid: number(raw.pid, PID),
    thresholdPercent: number(raw.threshold, THRESHOLD),
    intervalMs: milliseconds(number(raw.interval, INTERVAL)),
    directory: text(raw.directory, '-d/--directory', 'a directory for evidence'),
    restart: raw.restart === true,
    name: nameOf(raw.name, faults),
    user: text(raw.user, '--user', 'a user name or uid'),
    rules: (raw.rule ?? []).flatMap(
      (rule) => text(rule, '--rule', 'a rule like "rss > 500MiB for 30s"') ?? [],
    ),
    builtin: builtinOf(raw.builtin, faults),
    config: text(raw.config, '--config', 'a YAML file'),
    graceMs: milliseconds(number(raw.grace, GRACE)),
    journal: text(raw.journal, '--journal', 'a file'),
    dryRun: raw.dryRun === true,
    json: raw.json === true,
    once: raw.once === true,
    environ: raw.environ === true,
    verbose: raw.verbose === true,
    source: readSource(raw.source, SAMPLE_SOURCES, faults),
    lowerOwnPriority: raw.nice !== false,
  }
  requireWhatBelongsTogether(raw, faults)
  return flags
}

function builtinOf(raw: string | undefined, faults: FaultList): BuiltinRule[] {
  if (raw === undefined) return []
  const words = splitList(raw)
  if (words.length === 0) faults.add(EXIT.malformed, `--builtin is empty; give ${BUILTIN_RULES.join(', ')}`)
  return words.flatMap((word) => {
    const known = BUILTIN_RULES.find((name) => name === word)
    const hint = `${didYouMean(word, BUILTIN_RULES)}; give ${BUILTIN_RULES.join(', ')}`
    return known ?? faults.add(EXIT.malformed, `--builtin ${quoted(word)} is no built-in rule${hint}`) ?? []
  })
}

/** A name, or a pattern between slashes that is one. */
function nameOf(raw: string | undefined, faults: FaultList): string | undefined {
  if (raw === undefined) return undefined
  const name = readText(raw, '--name', 'a process name, or a pattern like "/^worker/"', faults)
  if (name === undefined) return undefined
  try {
    checkRules([{ name: 'name', match: { name }, when: 'rss > 0' }])
    return name
  } catch (error) {
    const reason = messageOf(error).replace(/^rule "name", match\.name: /, '')
    return faults.add(EXIT.malformed, `--name ${quoted(name)}: ${reason}; correct the pattern`)
  }
}

/** Combinations that say too little to watch anything, or too much to act on safely. */
function requireWhatBelongsTogether(raw: RawWatchOptions, faults: FaultList): void {
  const hasTarget = raw.pid !== undefined || raw.name !== undefined || raw.user !== undefined
  const hasRule = (raw.rule !== undefined && raw.rule.length > 0) || raw.builtin !== undefined
  const hasConfig = raw.config !== undefined
  if (raw.threshold === undefined && !hasRule && !hasConfig) {
    faults.add(
      EXIT.usage,
      hasTarget
        ? '-t/--threshold is missing; give a percentage of physical memory, or a --rule'
        : 'nothing to watch: give -p PID -t PERCENT, a --rule or a --config (see muster watch --help)',
    )
  }
  if (raw.threshold !== undefined && !hasTarget) {
    faults.add(EXIT.usage, '-t/--threshold without a process; add -p/--pid, --name or --user')
  }
  if (raw.pid !== undefined && raw.name !== undefined) {
    faults.add(EXIT.usage, '-p/--pid and --name exclude each other; a PID names one process already')
  }
  if (raw.pid !== undefined && raw.user !== undefined) {
    faults.add(EXIT.usage, '-p/--pid and --user exclude each other; a PID names one process already')
  }
  if (raw.restart && !hasTarget && !hasConfig) {
    faults.add(
      EXIT.usage,
      '-r/--restart with a rule for every process of the host; add -p/--pid, --name or --user, or put the restart into a --config',
    )
  }
  if (raw.environ && raw.directory === undefined && !hasConfig) {
    faults.add(
      EXIT.usage,
      '--environ adds the environment to evidence, and none is kept without -d/--directory; add it',
    )
  }
}
