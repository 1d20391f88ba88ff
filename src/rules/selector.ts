import { NAME_BYTES } from '../table/columns.js'
import { namePattern } from './name_pattern.js'
import type { Program, SelectorSpec } from './program.js'

/** The kernel keeps 15 bytes of a user process's name. */
const COMM_BYTES = 15
/**
 * Characters of a command line that patterns are tried on. A backtracking pattern costs more than linear time, and a command line
 * can be megabytes long, of the process's own choice.
 */
export const COMMAND_LINE_LIMIT = 4096
/** Names seen are few next to processes; past this many the host churns names on purpose. */
const REMEMBERED_NAMES = 4096

/** The selectors of some rules, tried on names and command lines. */
export class Selectors {
  readonly #specs: readonly SelectorSpec[]
  readonly #names: readonly ((name: Buffer) => boolean)[]
  /** Rules by name, so that a pattern runs once per name and not once per process. */
  readonly #passing = new Map<string, Int32Array>()
  /** Local indices of the rules that have a command-line pattern. */
  readonly commandRules: Int32Array
  readonly watchNames: boolean
  readonly kernelThreads: boolean

  constructor(specs: readonly SelectorSpec[]) {
    this.#specs = specs
    this.#names = specs.map(({ name }) => nameTest(name))
    this.commandRules = Int32Array.from(
      specs.flatMap(({ commandLine }, rule) => (commandLine === undefined ? [] : [rule])),
    )
    this.watchNames = specs.some(({ name, commandLine }) => name !== undefined || commandLine !== undefined)
    this.kernelThreads = specs.some(({ kernelThreads }) => kernelThreads)
  }

  /** Rules whose name and kernel-thread tests a process passes. */
  passing(names: Buffer, slot: number, isKernelThread: boolean): Int32Array {
    const start = slot * NAME_BYTES
    let end = start
    while (end < start + NAME_BYTES && names[end] !== 0) end++
    const key = (isKernelThread ? 'k' : 'u') + names.toString('latin1', start, end)
    const known = this.#passing.get(key)
    if (known !== undefined) return known
    if (this.#passing.size >= REMEMBERED_NAMES) this.#passing.clear()
    const name = Buffer.from(names.subarray(start, end)) // a copy: shared memory may change under a pattern
    const rules: number[] = []
    for (const [rule, test] of this.#names.entries()) {
      if ((this.#specs[rule]!.kernelThreads || !isKernelThread) && test(name)) rules.push(rule)
    }
    const found = Int32Array.from(rules)
    this.#passing.set(key, found)
    return found
  }
}

/** Whether a process is the one that the rule names by pid, or the rule names none. */
export function isNamedProcess(program: Program, rule: number, pid: number, startTicks: number): boolean {
  const named = program.pid[rule]!
  const since = program.startTicks[rule]!
  return (Number.isNaN(named) || named === pid) && (Number.isNaN(since) || since === startTicks)
}

function nameTest(name: string | undefined): (bytes: Buffer) => boolean {
  if (name === undefined) return () => true
  const pattern = namePattern(name)
  if (pattern !== undefined) return (bytes) => pattern.test(bytes.toString())
  const wanted = Buffer.from(name)
  const cut = wanted.subarray(0, COMM_BYTES)
  // A longer name than the kernel keeps stands for its first bytes.
  return (bytes) => bytes.equals(wanted) || (wanted.length > COMM_BYTES && bytes.equals(cut))
}

/**
 * Tries the command-line patterns of all rules on a chunk of command lines.
 * @returns for each text `words` words of bits, one bit per pattern
 */
export function matchCommandLines(patterns: readonly RegExp[], texts: readonly string[]): Int32Array {
  const words = commandWords(patterns.length)
  const bits = new Int32Array(texts.length * words)
  for (const [index, text] of texts.entries()) {
    for (let pattern = 0; pattern < patterns.length; pattern++) {
      if (patterns[pattern]!.test(text)) bits[index * words + (pattern >>> 5)]! |= 1 << (pattern & 31)
    }
  }
  return bits
}

/** Words of bits per process for so many command-line patterns. */
export function commandWords(patterns: number): number {
  return (patterns + 31) >>> 5
}
