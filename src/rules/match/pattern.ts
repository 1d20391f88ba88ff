import { RE2JS } from 're2js'
import type { TextFact } from './ast.js'

/** A pattern that takes time linear in the text, whoever chose pattern and text: RE2's, without lookaround and back references. */
export interface Pattern {
  test(text: string): boolean
}

/**
 * The pattern of a name that is written between slashes, with the flags i, s and u; undefined for a plain name.
 * @throws Error for a pattern that cannot be understood
 */
export function namePattern(name: string): Pattern | undefined {
  const found = /^\/(.+)\/([a-z]*)$/s.exec(name)
  return found === null ? undefined : searchPattern(found[1]!, found[2]!)
}

/**
 * The pattern that a text about a process is tried on: a command line's may fit anywhere, the others' are globs or patterns
 * between slashes. A path's has no flags, or `/usr/bin/su` would be one: write `/(?i)java/`.
 * @throws Error for a pattern that cannot be understood
 */
export function textPattern(fact: TextFact, pattern: string): Pattern {
  if (fact === 'commandLine') return searchPattern(pattern, '')
  if (fact !== 'exe' && fact !== 'cgroup') return namePattern(pattern) ?? globPattern(pattern)
  const found = /^\/(.+)\/$/s.exec(pattern)
  return found === null ? globPattern(pattern) : searchPattern(found[1]!, '')
}

function searchPattern(source: string, flags: string): Pattern {
  if (/[^isu]/.test(flags)) throw new SyntaxError(`flags of a name pattern are i, s and u, not '${flags}'`)
  const plain = flags.includes('i') ? undefined : plainSearch(source)
  if (plain !== undefined) return plain
  const bits = (flags.includes('i') ? RE2JS.CASE_INSENSITIVE : 0) | (flags.includes('s') ? RE2JS.DOTALL : 0)
  return RE2JS.compile(RE2JS.translateRegExp(source), bits)
}

/** Most patterns are words, and comparing them costs a tenth of what an automaton does. */
function plainSearch(source: string): Pattern | undefined {
  const found = /^(\^?)((?:[^\\^$.*+?()[\]{}|]|\\[./-])*)(\$?)$/s.exec(source)
  if (found === null) return undefined
  return plainPattern(found[2]!.replace(/\\(.)/gs, '$1'), found[1] === '^', found[3] === '$')
}

function plainPattern(word: string, fromStart: boolean, toEnd: boolean): Pattern {
  if (fromStart && toEnd) return { test: (text) => text === word }
  if (fromStart) return { test: (text) => text.startsWith(word) }
  if (toEnd) return { test: (text) => text.endsWith(word) }
  return { test: (text) => text.includes(word) }
}

/**
 * Over the whole text: `*` any characters, slashes too; `?` one; `[a-z]` one of these, `[!a-z]` one of the others. A backslash stands
 * for itself, since names of units are full of them.
 */
function globPattern(glob: string): Pattern {
  const plain = /^(\*?)([^*?[]*)(\*?)$/s.exec(glob)
  if (plain !== null) return plainPattern(plain[2]!, plain[1] === '', plain[3] === '' && glob !== '*')
  const pattern = RE2JS.compile(globSource(glob), RE2JS.DOTALL)
  return { test: (text) => pattern.testExact(text) }
}

function globSource(glob: string): string {
  return glob.replace(/\*+|\?|\[!?\]?[^\]]*\]|[^*?[]+|\[/gs, (part) => {
    if (part.startsWith('*')) return '.*'
    if (part === '?') return '.'
    if (part.length < 3 || !part.startsWith('[')) return RE2JS.quote(part)
    const isNegated = part.startsWith('[!')
    const members = part.slice(isNegated ? 2 : 1, -1).replace(/[\\[\]^]/g, '\\$&')
    return members === '' ? RE2JS.quote(part) : `[${isNegated ? '^' : ''}${members}]`
  })
}
