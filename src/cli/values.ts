import { EXIT } from './exit_codes.js'
import type { FaultList } from './fault.js'
import { escapeForTerminal } from './terminal.js'

export const PID_MAX = 4_194_304 // the kernel's upper limit of pid_max, proc_sys_kernel(5)

const INTEGER = /^[+-]?\d+$/
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)$/

/** A value as messages show it. */
export const quoted = (value: string): string => `"${escapeForTerminal(value)}"`

/** Bounds and words of one numeric flag. */
interface NumberFlag {
  /** As the user knows it: `-t/--threshold`. */
  readonly flag: string
  /** What a right value is, for messages: `a percentage above 0 and at most 100, for example 80`. */
  readonly wanted: string
  readonly min: number
  readonly max: number
  /** `min` itself is not allowed. */
  readonly aboveMin?: boolean
  readonly integer?: boolean
  /** A unit that may follow the number, for example `%`. */
  readonly suffix?: string
}

/** Reads a plain decimal number; anything else is a fault with the flag, the value, the reason, the way out. */
export function readNumber(raw: string, flag: NumberFlag, faults: FaultList): number | undefined {
  const text = flag.suffix && raw.endsWith(flag.suffix) ? raw.slice(0, -flag.suffix.length) : raw
  if (!(flag.integer ? INTEGER : DECIMAL).test(text)) {
    const kind = flag.integer ? 'a whole number' : 'a number'
    return faults.add(EXIT.malformed, `${flag.flag} ${quoted(raw)} is not ${kind}; give ${flag.wanted}`)
  }
  const value = Number(text)
  if (value < flag.min || value > flag.max || (flag.aboveMin && value === flag.min)) {
    return faults.add(EXIT.outOfRange, `${flag.flag} ${quoted(raw)} is out of range; give ${flag.wanted}`)
  }
  return value
}

/** A text flag: not empty. */
export function readText(raw: string, flag: string, wanted: string, faults: FaultList): string | undefined {
  if (raw === '') return faults.add(EXIT.malformed, `${flag} is empty; give ${wanted}`)
  if (raw.includes('\0'))
    return faults.add(EXIT.malformed, `${flag} ${quoted(raw)} holds a NUL byte; give ${wanted}`)
  return raw
}

/** The words of a list separated by commas or blanks. */
export const splitList = (list: string): string[] => list.split(/[\s,]+/).filter((word) => word !== '')

/** A list of PIDs. */
export function readPids(list: string, flag: string, faults: FaultList): ReadonlySet<number> {
  const wanted = 'PIDs like 1234,5678'
  const words = splitList(list)
  if (words.length === 0) faults.add(EXIT.malformed, `${flag} is empty; give ${wanted}`)
  const number = { flag, wanted, min: 1, max: PID_MAX, integer: true }
  return new Set(words.flatMap((word) => readNumber(word, number, faults) ?? []))
}

// proc_pid_stat(5) field 3, with the letters of older kernels.
const STATES = 'RSDTtZXxKWPI'

/** State letters of a list. */
export function readStates(list: string, faults: FaultList, flag = '--state'): string {
  const letters = splitList(list)
  if (letters.length === 0) faults.add(EXIT.malformed, `${flag} is empty; give letters like R,S,D,Z`)
  for (const letter of letters) {
    if (letter.length !== 1 || !STATES.includes(letter)) {
      faults.add(
        EXIT.malformed,
        `${flag} ${quoted(letter)} is no state; give letters of ${[...STATES].join(',')}`,
      )
    }
  }
  return letters.join('')
}
