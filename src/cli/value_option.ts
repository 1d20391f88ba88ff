import { type Argument, Option } from 'commander'
import { EXIT } from './exit_codes.js'
import { fail } from './fault.js'
import { quoted } from './values.js'

/**
 * An option with a value, to be given once: of two values the second would silently win. The help and the completion
 * name the choices.
 */
export function valueOption(flags: string, description: string, choices: readonly string[] = []): Option {
  const option = new Option(flags, description)
  // Not by choices(): a fault is ours to report, and a list of them is a value too.
  if (choices.length > 0) option.argChoices = [...choices]
  return option.argParser((value: string, previous: string | undefined) => {
    if (previous !== undefined) fail(EXIT.usage, `${option.long} is given twice; give it once`)
    return notAFlag(value, flags)
  })
}

/** Words that only the completion knows of an option or argument, where they are too many for the help. */
const completed = new WeakMap<Option | Argument, readonly string[]>()

/** Gives the completion words that the help leaves out. */
export function completing<Taking extends Option | Argument>(
  taking: Taking,
  words: readonly string[],
): Taking {
  completed.set(taking, words)
  return taking
}

/** The words that a value is one of, or that a list is made of; empty where it is anything. */
export const wordsOf = (taking: Option | Argument): readonly string[] =>
  completed.get(taking) ?? taking.argChoices ?? []

/** For an option that may be given several times. */
export const collectValues = (value: string, previous: readonly string[] = []): string[] => [
  ...previous,
  value,
]

/** commander hands the next argument to an option that needs one, whatever it is: `-p -t 80`. */
function notAFlag(value: string, flags: string): string {
  if (/^-([a-zA-Z]|-[a-zA-Z])/.test(value)) {
    fail(EXIT.usage, `${flags} has no value: ${quoted(value)} follows it; give it one`)
  }
  return value
}
