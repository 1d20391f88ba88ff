import { ProcmusterError } from '../errors.js'

const CONTROL = /\p{Cc}/u
const PLAIN_WORD = /^[A-Za-z0-9_./:=,+@-]+$/
/** systemd.syntax(7): longer lines are refused. */
const LINE_MAX = 1024 * 1024

/**
 * A word of a list such as `Environment=`, quoted as systemd.syntax(7) has it, with specifiers of systemd.unit(5) undone.
 * @param what as an error names it
 * @throws ProcmusterError `INVALID_ARGUMENT` for line breaks, other control characters, and what is no Unicode
 */
export function quoteWord(text: string, what: string): string {
  const checked = checkText(text, what).replaceAll('%', '%%')
  return PLAIN_WORD.test(checked) ? checked : `"${checked.replace(/["\\]/g, '\\$&')}"`
}

/** A word of `ExecStart=`, where `$` names variables too. As `quoteWord` otherwise. */
export function quoteArgument(text: string, what: string): string {
  return quoteWord(text, what).replaceAll('$', '$$$$')
}

/**
 * A value that reaches to the end of its line, such as `Description=`: nothing is quoted there, so that what systemd would
 * cut off or join with the next line is refused.
 * @throws ProcmusterError `INVALID_ARGUMENT`
 */
export function wholeLine(text: string, what: string): string {
  if (text === '' || text.trim() !== text || text.endsWith('\\')) {
    throw invalid(
      `${what} ${JSON.stringify(text)} cannot be written into a unit: it is empty, or has a blank at an end, or a backslash at its end; leave that out`,
    )
  }
  return checkText(text, what).replaceAll('%', '%%')
}

/** @throws ProcmusterError `INVALID_ARGUMENT` unless it is a path from the root, without `..` */
export function checkPath(path: string, what: string): string {
  if (path.startsWith('/') && !path.split('/').includes('..')) return path
  throw invalid(
    `${what} ${JSON.stringify(path)} is no absolute path without ..; give one such as /var/lib/web`,
  )
}

/** One directive. */
export function directive(name: string, value: string | number): string {
  const line = `${name}=${value}`
  if (Buffer.byteLength(line) < LINE_MAX) return line
  throw invalid(
    `${name} would be longer than the ${LINE_MAX} bytes that systemd reads of a line; make it shorter`,
  )
}

function checkText(text: string, what: string): string {
  if (!CONTROL.test(text) && !/\p{Cs}/u.test(text)) return text
  throw invalid(
    `${what} ${JSON.stringify(text)} holds a line break or another control character, or is no Unicode; a unit has no room for it`,
  )
}

export const invalid = (message: string) => new ProcmusterError('INVALID_ARGUMENT', { message })

export const outOfRange = (value: number, what: string, wanted: string) =>
  new ProcmusterError('OUT_OF_RANGE', { message: `${what} ${value} is out of range; give ${wanted}` })
