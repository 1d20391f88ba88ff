// Controls (C0, DEL, C1), line separators, lone surrogates, and the marks that reorder or hide text: a process
// chooses its own name, and must not be able to move the cursor, forge a line, or swap what is read.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\u001b': '\\e' }

/** Writes control characters as `\n`, `\e`, `\x07`, `\u{202e}`; everything else stays as it is. */
export function escapeForTerminal(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const short = SHORT[character]
    if (short) return short
    const code = character.codePointAt(0)!
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}

/** JSON on one line that a terminal can show: what `escapeForTerminal` escapes is written as `\\uXXXX`. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (mark) =>
    mark.replace(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  )
}
