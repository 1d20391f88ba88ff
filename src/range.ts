import { ProcmusterError } from './errors.js'

/** The value, where it lies between these. @throws ProcmusterError `INVALID_ARGUMENT` that names the option and its value. */
export function range(name: string, value: number, least: number, most: number): number {
  if (Number.isFinite(value) && value >= least && value <= most) return value
  throw new ProcmusterError('INVALID_ARGUMENT', { message: `${name} is ${value}; give ${least} to ${most}` })
}

/** The longest time that a timer of Node has: 24 days. */
export const MAX_TIMER_MS = 2 ** 31 - 1
