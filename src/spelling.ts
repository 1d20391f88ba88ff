import { ITERABLE, listOf, TEXT } from './arguments.js'

/** The candidate nearest to a misspelt word, whatever the case of letters; undefined when none is near. */
export function nearestWord(word: string, candidates: Iterable<string>): string | undefined {
  TEXT('the word', word)
  ITERABLE('the candidates', candidates)
  const wanted = word.toLowerCase()
  let nearest: string | undefined
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - wanted.length) >= least) continue
    const distance = editDistance(wanted, candidate.toLowerCase())
    if (distance < least) {
      nearest = candidate
      least = distance
    }
  }
  return nearest
}

/** Names listed in a refusal; of more it says how many. */
const MOST_LISTED = 6

/** How a refusal of a name ends: with the nearest that there is, else with those that there are. */
export function insteadOf(word: string, candidates: readonly string[]): string {
  listOf(TEXT)('candidates', candidates)
  const nearest = nearestWord(word, candidates)
  if (nearest !== undefined) return `; did you mean ${JSON.stringify(nearest)}?`
  if (candidates.length === 0) return '; there are none'
  const listed = candidates.slice(0, MOST_LISTED).map((name) => JSON.stringify(name))
  const more = candidates.length - listed.length
  return `; there ${candidates.length === 1 ? 'is' : 'are'} ${listed.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** Insertions, deletions, replacements, and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, beforeLast[j - 2]! + 1)
      }
      row[j] = least
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}
