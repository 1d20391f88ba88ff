import type { Resource } from '../../control/rlimit.js'

/** A number that is read beside the samples, once per life of a process and after an exec. */
export type NumberFact =
  | { readonly kind: 'limit'; readonly resource: Resource }
  /** A number for the text; which text, the main thread knows. */
  | { readonly kind: 'groupKey'; readonly of: 'unit' | 'cgroup' | 'container' | 'program' }

export function numberFactKey(fact: NumberFact): string {
  return fact.kind === 'limit' ? `limit.${fact.resource}` : fact.of
}
