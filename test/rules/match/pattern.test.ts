import fc from 'fast-check'
import { RE2JS } from 're2js'
import { expect, it } from 'vitest'
import { textPattern } from '../../../dist/rules/match/pattern.js'
import { TextMatcher } from '../../../dist/rules/match/text_matcher.js'

/** A glob's meaning by trying every way to share out the text. */
function fits(glob: readonly string[], text: readonly string[]): boolean {
  const [first, ...rest] = glob
  if (first === undefined) return text.length === 0
  if (first === '*') return fits(rest, text) || (text.length > 0 && fits(glob, text.slice(1)))
  if (text.length === 0) return false
  const isOne =
    first === '?' ||
    first === text[0] ||
    (first === '[ab]' && (text[0] === 'a' || text[0] === 'b')) ||
    (first === '[!a/]' && text[0] !== 'a' && text[0] !== '/')
  return isOne && fits(rest, text.slice(1))
}

const letters = ['a', 'b', '/', '.', '\\', '\n', '\u{1f600}', '(', '+'] as const

it('globs mean what they say, over the whole text', () => {
  const glob = fc.array(fc.constantFrom('*', '?', '[ab]', '[!a/]', ...letters), { maxLength: 6 })
  const text = fc.array(fc.constantFrom(...letters), { maxLength: 7 })
  fc.assert(
    fc.property(glob, text, (parts, characters) => {
      const pattern = parts.join('')
      fc.pre(!(pattern.length > 2 && pattern.startsWith('/') && pattern.endsWith('/')))
      expect(textPattern('cgroup', pattern).test(characters.join(''))).toBe(fits(parts, characters))
    }),
    { numRuns: 3000 },
  )
})

it('words are compared as the automaton would', () => {
  const source = fc.array(fc.constantFrom('^', '$', 'a', 'b', ' ', '-', '/', '\\.', '\\/', '\\-', '.'), {
    maxLength: 5,
  })
  const text = fc.array(fc.constantFrom('a', 'b', ' ', '-', '/', '.', '\n'), { maxLength: 6 })
  fc.assert(
    fc.property(source, text, (parts, characters) => {
      const expected = RE2JS.compile(parts.join('')).test(characters.join(''))
      expect(textPattern('commandLine', parts.join('')).test(characters.join(''))).toBe(expected)
    }),
    { numRuns: 3000 },
  )
})

it('no pattern takes more than linear time', () => {
  const hostile = `${'a'.repeat(4095)}b`
  const sources = ['(a+)+$', '(a|a)*$', '(a|aa)+$', '(.*a){12}$', '^(([a-z])+.)+[A-Z]([a-z])+$']
  const texts = new TextMatcher(sources.map((pattern) => ({ fact: 'commandLine', pattern, rule: 'r' })))
  const startedMs = performance.now()
  const { known, done } = texts.match(
    Array.from({ length: 20 }, () => ({ commandLine: hostile })),
    60_000,
  )
  expect(performance.now() - startedMs).toBeLessThan(20_000)
  expect(done).toBe(20)
  expect(known[0]).toBe(0b11111)
})

it('texts that take long are done in parts, at least one at a time', () => {
  const texts = new TextMatcher([{ fact: 'commandLine', pattern: 'b+$', rule: 'r' }])
  const all = ['ab', 'a', 'b', 'xb'].map((commandLine) => ({ commandLine }))
  const bits: number[] = []
  for (let at = 0; at < all.length; ) {
    const { yes, done } = texts.match(all.slice(at), -1)
    expect(done).toBe(1)
    bits.push(...yes.subarray(0, done))
    at += done
  }
  expect(bits).toEqual([1, 0, 1, 1])
})
