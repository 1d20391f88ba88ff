import { capProcess, uncapProcess } from '../../public/cgroups.js'
import { wordedBytes } from '../../public/text.js'
import { EXIT } from '../exit_codes.js'
import { FaultList } from '../fault.js'
import { escapeForTerminal } from '../terminal.js'
import { hasLimits, limitsOf, type RawLimits } from './cgroup_limits.js'
import type { RawControl } from './options.js'
import { report } from './report.js'
import { pidsOf, Targets } from './targets.js'

/** As commander hands them over. */
export interface RawCap extends RawControl, Omit<RawLimits, 'io'> {
  alone?: boolean
}

/** `muster cap PID... --memory 500M` */
export async function cap(words: readonly string[], raw: RawCap): Promise<void> {
  const faults = new FaultList()
  const pids = pidsOf(words, faults)
  const limits = limitsOf(raw, faults)
  faults.throwIfAny()
  if (!hasLimits(limits)) {
    faults.add(
      EXIT.usage,
      'no limit is given; give --memory, --memory-high, --swap, --cpu, --cpu-weight or --pids',
    )
  }
  faults.throwIfAny()
  const targets = await Targets.identify(pids)
  const options = { descendants: raw.alone !== true, force: raw.force === true }
  const results = targets.merge(await capProcess(targets.identities, limits, options))
  report(results, raw.json, ({ pid, directories, moved, uncountedBytes }) => {
    const others = moved.length > 1 ? `, with ${moved.length - 1} descendants` : ''
    const before = uncountedBytes > 0 ? `; ${wordedBytes(uncountedBytes)} from before are not counted` : ''
    return `${pid}: capped in ${printed(directories)}${others}${before}`
  })
}

/** `muster uncap PID...` */
export async function uncap(words: readonly string[], raw: RawControl): Promise<void> {
  const faults = new FaultList()
  const pids = pidsOf(words, faults)
  faults.throwIfAny()
  const targets = await Targets.identify(pids)
  const results = targets.merge(await uncapProcess(targets.identities, { force: raw.force === true }))
  report(results, raw.json, ({ pid, directories }) => `${pid}: back in ${printed(directories)}`)
}

const printed = (directories: readonly string[]): string => directories.map(escapeForTerminal).join(', ')
