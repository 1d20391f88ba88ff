/**
 * Which processes a rule is about: decided when a process is born, after an exec, and when one of the cells that the tree reads
 * has changed (user, session, process group, state).
 */
export type Match = MatchAll | MatchAny | MatchNot | MatchLeaf

/** Every part; none at all means every process. */
interface MatchAll {
  readonly kind: 'all'
  readonly parts: readonly Match[]
}
interface MatchAny {
  readonly kind: 'any'
  readonly parts: readonly Match[]
}
/** A part that cannot be told (its file may not be read) stays so: neither it nor its contrary matches. */
interface MatchNot {
  readonly kind: 'not'
  readonly part: Match
}

export type MatchLeaf =
  /** With `startTicks`: that very process and no successor. */
  | { readonly kind: 'pid'; readonly pid: number; readonly startTicks: number | undefined }
  /** The process, and every descendant of it at the time when that was born. */
  | { readonly kind: 'subtree'; readonly pid: number; readonly startTicks: number | undefined }
  /** The whole name, or a pattern between slashes. */
  | { readonly kind: 'name'; readonly pattern: string }
  | { readonly kind: 'text'; readonly fact: TextFact; readonly pattern: string }
  /** A user's name or uid: the effective user. */
  | { readonly kind: 'user'; readonly user: string | number }
  | { readonly kind: 'session'; readonly sid: number }
  | { readonly kind: 'processGroup'; readonly pgid: number }
  /** State letters, for example `DZ`. */
  | { readonly kind: 'state'; readonly states: string }
  | { readonly kind: 'kernelThread' }

/**
 * Texts about a process that are read once per life and after exec. `commandLine`: a regular expression somewhere in the arguments
 * joined by spaces. The others: a glob (`*`, `?`, `[...]`) over the whole text, or a pattern between slashes.
 */
export const TEXT_FACTS = ['commandLine', 'exe', 'cgroup', 'unit', 'container', 'program'] as const
export type TextFact = (typeof TEXT_FACTS)[number]
