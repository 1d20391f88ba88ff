import { type ExecFileException, execFile } from 'node:child_process'
import { type Checks, NUMBER, oneOf, PATH } from '../arguments.js'
import { type ErrorCode, errnoOf, ProcmusterError } from '../errors.js'

/** Which service manager is asked, and for how long it is waited for. */
export interface ServiceOptions {
  /** The system's manager (default), or that of the user whom this process runs as. */
  readonly manager?: 'system' | 'user'
  /** For one call of systemctl(1); default 10 s for what only asks, 120 s for what changes something. */
  readonly timeoutMs?: number
  /** The program; default `systemctl`, looked for in PATH. */
  readonly systemctl?: string
}

export const SERVICE_CHECKS: Checks<ServiceOptions> = {
  manager: oneOf(['system', 'user']),
  timeoutMs: NUMBER,
  systemctl: PATH,
}

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024
const TIMEOUT_MS_MAX = 2 ** 31 - 1

/**
 * Runs systemctl(1), without a shell, and gives what it printed.
 * @param action as an error names it
 * @param args of its own; names of units follow `--`
 * @throws ProcmusterError `UNSUPPORTED` where there is no systemctl, or systemd does not run; `NOT_FOUND`, `ACCESS_DENIED`,
 * `TIMEOUT`, `SERVICE_FAILED` when the manager did not do it, `IO_ERROR` for output beyond 16 MiB
 */
export function runSystemctl(
  action: string,
  args: readonly string[],
  { manager = 'system', timeoutMs = 10_000, systemctl = 'systemctl' }: ServiceOptions,
): Promise<string> {
  if (!(timeoutMs >= 1 && timeoutMs <= TIMEOUT_MS_MAX)) {
    const message = `timeoutMs ${timeoutMs} is out of range; give 1 to ${TIMEOUT_MS_MAX}`
    throw new ProcmusterError('OUT_OF_RANGE', { message })
  }
  const all = [`--${manager}`, '--no-pager', '--no-ask-password', ...args]
  const options = {
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: OUTPUT_BYTES_MAX,
    // Messages are told apart by their words.
    env: { ...process.env, LC_ALL: 'C.UTF-8', SYSTEMD_COLORS: '0', SYSTEMD_LOG_LEVEL: 'info' },
  } as const
  return new Promise((resolve, reject) => {
    execFile(systemctl, all, options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout)
      // A unit's name could read like a reason.
      const units = args.includes('--') ? args.slice(args.indexOf('--') + 1) : []
      const reason = units.reduce((text, unit) => text.replaceAll(unit, ''), stderr)
      reject(failure(action, error, { stderr, reason }, { manager, timeoutMs, systemctl }))
    })
  })
}

function failure(
  action: string,
  error: ExecFileException,
  { stderr, reason }: { stderr: string; reason: string },
  { manager, timeoutMs, systemctl }: Required<ServiceOptions>,
): ProcmusterError {
  const fail = (code: ErrorCode, why: string) =>
    new ProcmusterError(code, { message: `${action}: ${why}`, cause: error })
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') {
    return fail('IO_ERROR', `${systemctl} printed more than ${OUTPUT_BYTES_MAX} bytes, and was ended`)
  }
  if (error.killed) {
    return fail(
      'TIMEOUT',
      `${systemctl} was not done within ${timeoutMs} ms, and was ended; what it asked for may go on in the service manager`,
    )
  }
  if (typeof error.code === 'string') return notStarted(fail, error, systemctl)
  const said = stderr.trim().slice(0, 1000)
  const known = REASONS.find(([pattern]) => pattern.test(reason))
  if (known === undefined) {
    const how = error.signal ? `was killed by ${error.signal}` : `ended with exit code ${error.code}`
    return fail(error.signal ? 'IO_ERROR' : 'SERVICE_FAILED', said === '' ? `${systemctl} ${how}` : said)
  }
  const [, code, hint] = known
  return fail(code, `${said.replace(/[.\s]+$/, '')}; ${hint[manager]}`)
}

function notStarted(
  fail: (code: ErrorCode, why: string) => ProcmusterError,
  error: ExecFileException,
  systemctl: string,
): ProcmusterError {
  if (error.code === 'ENOENT') {
    return fail(
      'UNSUPPORTED',
      `${systemctl} is not there, and services are managed through systemd; on a host with another service manager use its own tools`,
    )
  }
  const code = error.code === 'EACCES' ? 'ACCESS_DENIED' : 'IO_ERROR'
  return fail(code, `${systemctl} could not be started (${error.code}, errno ${errnoOf(error)})`)
}

type Hints = Readonly<Record<NonNullable<ServiceOptions['manager']>, string>>
const forBoth = (hint: string): Hints => ({ system: hint, user: hint })

/** What systemctl says, in order: what it means, and the way out. */
const REASONS: readonly (readonly [pattern: RegExp, code: ErrorCode, hint: Hints])[] = [
  [
    /denied|authentication (?:is )?required|Operation not permitted/i,
    'ACCESS_DENIED',
    {
      system: "run as root, or ask the user's own manager",
      user: 'run as the user whose manager it is',
    },
  ],
  [
    /not been booted with systemd|Failed to connect to (?:.* )?bus|Failed to get D-Bus connection|Running in chroot/i,
    'UNSUPPORTED',
    {
      system:
        'systemd does not run here, or cannot be reached; in a container ask on the host, or use `muster signal` and `muster watch`',
      user: 'no manager of this user can be reached; it runs while the user is logged in (loginctl enable-linger), and XDG_RUNTIME_DIR names its directory',
    },
  ],
  [
    /not found|could not be found|does not exist|not loaded|No such file or directory/i,
    'NOT_FOUND',
    forBoth('`systemctl list-unit-files` lists what is installed'),
  ],
  [/is masked/i, 'SERVICE_FAILED', forBoth('`systemctl unmask` allows it again')],
]
