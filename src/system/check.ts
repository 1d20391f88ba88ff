import type { Capability } from './capabilities.js'

/** `ok` works fully; `limited` works in part; `missing` does not work, and `instead` says what is done without it. */
export type CheckState = 'ok' | 'limited' | 'missing'

/** Names of the checks; stable across versions, more may come. */
export const CHECK_IDS = [
  'bpf-source',
  'lifecycle-events',
  'all-processes',
  'files-of-others',
  'kernel-stacks',
  'descriptors',
  'pid-numbers',
  'pidfd',
  'pidfs-inode',
  'signal-others',
  'raise-priority',
  'raise-limits',
  'restart-others',
  'keep-stdio',
  'cgroups',
] as const
/** Stable names of the checks, for `muster doctor --require`. */
export type CheckId = (typeof CHECK_IDS)[number]

/** One thing that this package can use on a host. All texts are one line, without a full stop. */
export interface Check {
  readonly id: CheckId
  /** A few words for a person. */
  readonly title: string
  /** Whether it serves to see processes or to act on them. */
  readonly area: 'observe' | 'act'
  readonly state: CheckState
  /** What was found here. */
  readonly found: string
  /** What it is good for. */
  readonly gain: string
  /** What is done without it; undefined when the state is `ok`. */
  readonly instead: string | undefined
  /** The way out; undefined when the state is `ok`. */
  readonly remedy: string | undefined
  /** Capabilities that would help and that this process lacks. */
  readonly lacking: readonly Capability[]
  /** Of a check that depends on several things: each of them. */
  readonly requirements?: readonly Requirement[]
}

/** One thing that a source needs of the host. */
export interface Requirement {
  readonly name: string
  readonly met: boolean
  readonly found: string
}
