import {
  allOperands,
  builtinRules,
  checkRules,
  comparisonsOf,
  type ProcessIdentity,
  parseWhen,
  type Rule,
} from '../../index.js'
import { insteadOf } from '../../public/text.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, messageOf } from '../fault.js'
import { quoted } from '../values.js'
import type { WatchConfig } from './config.js'
import type { WatchFlags } from './options.js'

/**
 * The rules of a watch: of the flags, built in, and of the file.
 * @throws FaultsError
 */
export function planRules(
  flags: WatchFlags,
  config: WatchConfig | undefined,
  identity: ProcessIdentity | undefined,
  directory: string | undefined,
): Rule[] {
  const faults = new FaultList()
  const rules = rulesOf(flags, config, identity, directory, faults)
  faults.throwIfAny()
  return rules
}

export function rulesOf(
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
  for (const { rules: wanted = [] } of config?.notifiers ?? []) {
    for (const name of wanted) {
      if (names.has(name)) continue
      const reason = `notify: there is no rule ${quoted(name)}${insteadOf(name, [...names])}`
      faults.add(EXIT.config, `--config ${quoted(flags.config ?? '')}: ${reason}`)
    }
  }
  const keeper = directory === undefined ? all.find((rule) => hasAction(rule, 'evidence')) : undefined
  if (keeper !== undefined) {
    faults.add(
      EXIT.usage,
      `--config ${quoted(flags.config ?? '')}: rule ${quoted(keeper.name)} keeps evidence, but there is no directory; add "directory:" or -d`,
    )
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

/** Whether it restarts by the grace of the watch, and not by one of its own. */
export function restartsByGrace({ actions = [] }: Rule): boolean {
  return actions.some(
    (action) =>
      action === 'restart' ||
      (typeof action === 'object' && action.type === 'restart' && action.graceMs === undefined),
  )
}

/** Whether it is unknown at a first look, whatever the process does. */
export function takesTime({ when, enabled }: Rule): boolean {
  const { condition } = parseWhen(when)
  if (enabled === false) return false
  const isOverTime = ({ kind }: { kind: string }) =>
    kind === 'window' || kind === 'timeTo' || kind === 'stateSeconds' || kind === 'exitRate'
  return (
    comparisonsOf(condition).some(({ kind }) => kind === 'leak') ||
    [...allOperands(condition)].some(isOverTime)
  )
}
