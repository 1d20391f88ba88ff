import type { ListedAlert } from '../../public/alerts.js'
import type { Severity } from '../../public/schema.js'
import { EXIT } from '../exit_codes.js'
import type { FaultList } from '../fault.js'
import { didYouMean } from '../suggest.js'
import { quoted } from '../values.js'

export const SEVERITIES = ['info', 'warning', 'critical'] as const satisfies readonly Severity[]
export const ALERT_STATES = [
  'firing',
  'resolved',
  'unknown',
] as const satisfies readonly ListedAlert['state'][]
/** Alerts that are listed unless it is said how many. */
export const DEFAULT_LIMIT = 50

/** One of the words; undefined when it is not given, or is none and a fault. */
export function wordOf<W extends string>(
  word: string | undefined,
  flag: string,
  words: readonly W[],
  faults: FaultList,
): W | undefined {
  const found = words.find((each) => each === word)
  if (word === undefined || found !== undefined) return found
  const hint = `${didYouMean(word, words)}; give ${words.join(', ')}`
  return faults.add(EXIT.malformed, `${flag} ${quoted(word)} is not known${hint}`)
}
