import { NUMBER } from '../arguments.js'
import { ProcmusterError } from '../errors.js'

// The numbers of x64 and arm64, where they are the same.
const NUMBERS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPWR: 30,
  SIGSYS: 31,
} as const

const ALIASES: Readonly<Record<string, number>> = { SIGIOT: 6, SIGCLD: 17, SIGPOLL: 29 }

// As the C library shows them to programs; 32 and 33 are its own.
const RTMIN = 34
const RTMAX = 64

type StandardSignal = keyof typeof NUMBERS
type WithoutPrefix<Name extends string> = Name extends `SIG${infer Rest}` ? Rest : never

/** A signal by name, with or without `SIG`: `SIGTERM`, `TERM`, `SIGRTMIN+3`, `RTMAX-1`. */
export type SignalName =
  | StandardSignal
  | WithoutPrefix<StandardSignal>
  | `${'SIG' | ''}RTMIN${'' | `+${number}`}`
  | `${'SIG' | ''}RTMAX${'' | `-${number}`}`

/** All standard signal names, in the order of their numbers. */
export const SIGNAL_NAMES = Object.keys(NUMBERS) as readonly StandardSignal[]

const byNumber = new Map<number, string>(Object.entries(NUMBERS).map(([name, value]) => [value, name]))

/** The name of a signal number: 15 is `SIGTERM`, 36 is `SIGRTMIN+2`. */
export function signalName(signal: number): string {
  NUMBER('the signal', signal)
  const name = byNumber.get(signal)
  if (name !== undefined) return name
  if (signal === RTMIN) return 'SIGRTMIN'
  return signal > RTMIN && signal <= RTMAX ? `SIGRTMIN+${signal - RTMIN}` : `signal ${signal}`
}

/**
 * The number of a signal; 0 asks only whether the target may be signalled.
 * @throws ProcmusterError `INVALID_ARGUMENT` for a name or number that is none.
 */
export function signalNumber(signal: SignalName | number): number {
  const number = typeof signal === 'number' ? signal : parseName(String(signal))
  if (Number.isInteger(number) && number >= 0 && number <= RTMAX) return number
  throw new ProcmusterError('INVALID_ARGUMENT', {
    message:
      `unknown signal ${JSON.stringify(signal)}; use a number from 0 to ${RTMAX}, ` +
      `SIGRTMIN to SIGRTMIN+${RTMAX - RTMIN}, or one of ${SIGNAL_NAMES.join(', ')}`,
  })
}

function parseName(text: string): number {
  const upper = text.trim().toUpperCase()
  if (/^\d{1,2}$/.test(upper)) return Number(upper)
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`
  const standard = (NUMBERS as Readonly<Record<string, number>>)[name] ?? ALIASES[name]
  if (standard !== undefined) return standard
  const realtime = /^SIGRT(?:MIN(?:\+(\d{1,2}))?|MAX(?:-(\d{1,2}))?)$/.exec(name)
  if (realtime === null) return Number.NaN
  const number = name.startsWith('SIGRTMIN')
    ? RTMIN + Number(realtime[1] ?? 0)
    : RTMAX - Number(realtime[2] ?? 0)
  return number >= RTMIN && number <= RTMAX ? number : Number.NaN
}
