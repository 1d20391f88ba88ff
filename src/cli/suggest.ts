import { nearestWord } from '../public/text.js'

/** The candidate nearest to a misspelt word, as ` (did you mean "x"?)`; empty where none is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const nearest = nearestWord(word, candidates)
  return nearest === undefined ? '' : ` (did you mean "${nearest}"?)`
}
