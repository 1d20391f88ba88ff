import { TEXT } from '../arguments.js'
import { ProcmusterError } from '../errors.js'

/** The kinds of units of systemd.unit(5). */
export const UNIT_TYPES = [
  'service',
  'socket',
  'device',
  'mount',
  'automount',
  'swap',
  'target',
  'path',
  'timer',
  'slice',
  'scope',
] as const

/** Kinds of units, systemd.unit(5). */
export type UnitType = (typeof UNIT_TYPES)[number]

const SUFFIX = new RegExp(`\\.(?:${UNIT_TYPES.join('|')})$`)
/** systemd.unit(5); a name such as `-.mount`, of the root itself, is the only one with a dash first. */
const NAME = /^(?:-\.(?:mount|slice)|[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\@-]*)$/
const LENGTH_MAX = 255

/**
 * The full name of a unit: what has no suffix of a kind of unit is a service, as systemctl(1) takes it.
 * @throws ProcmusterError `INVALID_ARGUMENT` for what cannot be a unit's name, patterns among it
 */
export function unitName(word: string): string {
  TEXT('the name of a unit', word)
  const name = SUFFIX.test(word) ? word : `${word}.service`
  if (NAME.test(name) && name.length <= LENGTH_MAX && name.replace(SUFFIX, '') !== '') return name
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message:
      `${JSON.stringify(word)} is no name of a unit: letters, digits and :_.\\@- without a dash first, ` +
      `${LENGTH_MAX} characters at most; give one such as nginx, cron.service or getty@tty1`,
  })
}
