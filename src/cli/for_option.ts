import { parseDuration } from '../public/language.js'
import { EXIT } from './exit_codes.js'
import { type FaultList, messageOf } from './fault.js'
import { quoted } from './values.js'

const LONGEST_TIMER_MS = 2 ** 31 - 1 // of setTimeout, 24 days

/** How long a command is to go on, as `--for` has it. */
export function readForDuration(raw: string, faults: FaultList): number | undefined {
  try {
    const ms = parseDuration(raw)
    if (ms > 0 && ms <= LONGEST_TIMER_MS) return ms
    return faults.add(
      EXIT.outOfRange,
      `--for ${quoted(raw)} is out of range; give more than 0 and at most 24d`,
    )
  } catch (error) {
    return faults.add(EXIT.malformed, `--for ${messageOf(error)}`)
  }
}
