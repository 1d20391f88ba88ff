import type { ErrorCode } from '../index.js'

/** What `muster` exits with: a code of its own for each kind of ending. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  malformed: 3,
  outOfRange: 4,
  noSuchProcess: 5,
  permission: 6,
  directory: 7,
  config: 8,
  restartFailed: 9,
  breached: 10,
  ended: 11,
  lacking: 12,
  notExecutable: 126,
  noProgram: 127,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** The words of --help and docs/cli.md, in order. */
export const EXIT_MEANINGS: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.ok, 'success; with --once: nothing was over its threshold'],
  [EXIT.failure, 'failed: not possible here, not in time, or unexpected (see --debug)'],
  [EXIT.usage, 'missing argument, unknown option or command'],
  [EXIT.malformed, 'malformed value, for example a PID that is not a number'],
  [EXIT.outOfRange, 'value out of range, or a process that cannot be watched'],
  [
    EXIT.noSuchProcess,
    'no such process (or it has already ended), alert, silence, control group, IPC object or unit',
  ],
  [EXIT.permission, 'permission denied'],
  [EXIT.directory, 'evidence directory or journal not usable'],
  [EXIT.config, 'configuration file invalid or not readable'],
  [EXIT.restartFailed, 'restart refused or failed'],
  [EXIT.breached, 'with --once: a threshold is breached'],
  [EXIT.ended, 'the watched process ended by itself'],
  [EXIT.lacking, 'doctor: something is limited or missing (with --require: of what it names)'],
  [EXIT.notExecutable, 'run: the program cannot be executed'],
  [EXIT.noProgram, 'run: there is no such program'],
  [129, 'stopped by SIGHUP, cleanly'],
  [130, 'stopped by SIGINT (Ctrl-C), cleanly'],
  [143, 'stopped by SIGTERM, cleanly'],
]

/** Exit codes as every command's --help lists them. */
export function exitCodeHelp(): string {
  const lines = EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`)
  return ['Exit codes:', ...lines].join('\n')
}

/** Which exit code a library error ends in when nothing nearer to the user's input has caught it. */
export const exitCodeOf: Readonly<Partial<Record<ErrorCode, ExitCode>>> = {
  PROCESS_GONE: EXIT.noSuchProcess,
  NOT_FOUND: EXIT.noSuchProcess,
  PROTECTED: EXIT.permission,
  ACCESS_DENIED: EXIT.permission,
  INVALID_ARGUMENT: EXIT.malformed,
  OUT_OF_RANGE: EXIT.outOfRange,
  CONFIG_INVALID: EXIT.config,
  RESTART_REFUSED: EXIT.restartFailed,
  RESTART_FAILED: EXIT.restartFailed,
}
