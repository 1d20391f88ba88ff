import { RE2JS } from 're2js'

/** Most patterns are words; there may be ten thousand of them. */
const PLAIN = /^\^?[\w /:@=,-]*\$?$/

/** @throws Error with the reason when a pattern cannot be understood, or not in linear time */
export function checkPattern(source: string, flags = ''): void {
  if (/[^isu]/.test(flags)) throw new SyntaxError(`flags of a pattern are i, s and u, not '${flags}'`)
  if (PLAIN.test(source)) return
  try {
    RE2JS.compile(RE2JS.translateRegExp(source))
  } catch (cause) {
    if (/\(\?(?:<?[=!]|>)|\\[1-9]|\\k</.test(source)) {
      throw new SyntaxError(
        `pattern ${JSON.stringify(source)}: look-around and back references are not known here, since no pattern may take more than linear time`,
      )
    }
    const reason = (cause instanceof Error ? cause.message : String(cause)).replace(
      /^error parsing regexp: /,
      '',
    )
    throw new SyntaxError(`pattern ${JSON.stringify(source)}: ${reason}`)
  }
}

/** A process name: plain, or a pattern between slashes. */
export function checkName(text: string): void {
  const slashed = /^\/(.+)\/([a-z]*)$/s.exec(text)
  if (slashed !== null) checkPattern(slashed[1]!, slashed[2])
}

/** A glob, or a pattern between slashes. */
export function checkGlobOrPattern(text: string): void {
  if (/^\/.+\/[a-z]*$/s.test(text)) checkName(text)
  else checkGlob(text)
}

/** A glob over a path, which begins with a slash itself; a pattern ends with one too. */
export function checkPathGlob(text: string): void {
  const slashed = /^\/(.+)\/$/s.exec(text)
  if (slashed === null) checkGlob(text)
  else checkPattern(slashed[1]!)
}

function checkGlob(text: string): void {
  for (let at = text.indexOf('['); at >= 0; at = text.indexOf('[', at + 1)) {
    const first = text[at + 1] === '!' ? at + 2 : at + 1
    // A bracket directly behind the opening one is a member.
    const end = text.indexOf(']', first + 1)
    if (end < 0)
      throw new SyntaxError(`glob ${JSON.stringify(text)}: '[' at character ${at + 1} is not closed`)
    at = end
  }
}
