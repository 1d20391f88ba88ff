import type { Option } from 'commander'
import { EXIT } from './exit_codes.js'
import type { FaultList } from './fault.js'
import { didYouMean } from './suggest.js'
import { valueOption } from './value_option.js'
import { quoted } from './values.js'

/** Where samples come from, as `--source` has it. */
export const SAMPLE_SOURCES = ['auto', 'bpf', 'procfs'] as const
export type SampleSource = (typeof SAMPLE_SOURCES)[number]

export const sourceOption = (what: string, sources: readonly string[]): Option =>
  valueOption('--source <SOURCE>', `where ${what} come from`, sources)

/** One of `sources`; undefined when it is not given, or is none and a fault. */
export function readSource<S extends string>(
  word: string | undefined,
  sources: readonly S[],
  faults: FaultList,
): S | undefined {
  const source = sources.find((each) => each === word)
  if (word === undefined || source !== undefined) return source
  const hint = `${didYouMean(word, sources)}; give ${sources.join(', ')}`
  return faults.add(EXIT.malformed, `--source ${quoted(word)} is not known${hint}`)
}
