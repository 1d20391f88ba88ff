import { type Checks, checkOptions, ELSEWHERE, listOf, NUMBER, oneOf, RECORD, TEXT } from '../arguments.js'
import {
  checkPath,
  directive,
  invalid,
  outOfRange,
  quoteArgument,
  quoteWord,
  wholeLine,
} from './unit_syntax.js'

/** When the manager starts a service again, systemd.service(5). */
export const UNIT_RESTARTS = [
  'no',
  'on-failure',
  'on-abnormal',
  'on-success',
  'on-abort',
  'on-watchdog',
  'always',
] as const
/** When the manager starts a unit again: `Restart=` of systemd.service(5). */
export type UnitRestart = (typeof UNIT_RESTARTS)[number]

/** A program, and how the service manager is to run it. */
export interface UnitSpec {
  /** Absolute path. */
  readonly program: string
  /** As the program gets them: no shell, no variables, no specifiers. */
  readonly args?: readonly string[]
  /** Default: the program's file name. */
  readonly description?: string
  /** Name or uid; default root, as the manager has it. */
  readonly user?: string
  readonly group?: string
  readonly workingDirectory?: string
  /** Everybody on the host may read what a unit says: no place for secrets. */
  readonly environment?: Readonly<Record<string, string>>
  /** Beyond it the kernel ends processes of the service, in bytes; default no bound. */
  readonly memoryMax?: number
  /** Percent of one CPU; default no bound. */
  readonly cpuQuotaPercent?: number
  /** Processes and threads; default the manager's. */
  readonly tasksMax?: number
  /** Default `on-failure`. */
  readonly restart?: UnitRestart
  /** Before each restart; default 1000. */
  readonly restartDelayMs?: number
  /** It stays failed after so many starts within `startLimitIntervalMs`; default 5 in 300 000. */
  readonly startLimitBurst?: number
  readonly startLimitIntervalMs?: number
  /** capabilities(7) that it keeps, and a user who is not root gets; default none. */
  readonly capabilities?: readonly string[]
  /** Directory below /var/lib that the manager makes for it (mode 0700), owned by `user`. */
  readonly stateDirectory?: string
  /** What else of the file system it may write; everything else is read-only to it. These have to exist. */
  readonly writablePaths?: readonly string[]
  /** What it sees of /home, /root and /run/user; default `hidden`. */
  readonly home?: 'hidden' | 'read-only' | 'writable'
}

const UNIT_CHECKS: Checks<UnitSpec> = {
  program: ELSEWHERE,
  args: listOf(TEXT),
  description: TEXT,
  user: TEXT,
  group: TEXT,
  workingDirectory: TEXT,
  environment: RECORD,
  memoryMax: NUMBER,
  cpuQuotaPercent: NUMBER,
  tasksMax: NUMBER,
  restart: oneOf(UNIT_RESTARTS),
  restartDelayMs: NUMBER,
  startLimitBurst: NUMBER,
  startLimitIntervalMs: NUMBER,
  capabilities: listOf(TEXT),
  stateDirectory: TEXT,
  writablePaths: listOf(TEXT),
  home: oneOf(['hidden', 'read-only', 'writable']),
}

/**
 * The text of a unit file for a program, with what it does not need taken from it: it gains no privileges, sees a read-only
 * file system and a private /tmp, no devices, no /home, and no kernel settings. `systemd-analyze verify` checks it,
 * `systemd-analyze security` tells what is left.
 * @throws ProcmusterError `INVALID_ARGUMENT` for what cannot be written into a unit as it is, `OUT_OF_RANGE`
 */
export function generateUnit(spec: UnitSpec): string {
  checkOptions(spec, UNIT_CHECKS)
  TEXT('program', spec.program)
  return unitText(spec, [], hardeningOf(spec))
}

/** Lines of [Service] that keep from a program what it does not need. */
export const hardeningOf = (spec: UnitSpec): string[] => [
  ...capabilityLines(spec),
  ...SANDBOX,
  ...FILE_SYSTEM,
  ...fileSystemOf(spec),
]

/** systemd.exec(5). */
const SANDBOX: readonly string[] = [
  'NoNewPrivileges=yes',
  'RestrictSUIDSGID=yes',
  'RestrictRealtime=yes',
  'RestrictNamespaces=yes',
  'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
  'LockPersonality=yes',
  'SystemCallArchitectures=native',
]

const FILE_SYSTEM: readonly string[] = [
  'ProtectSystem=strict',
  'PrivateTmp=yes',
  'PrivateDevices=yes',
  'ProtectKernelTunables=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelLogs=yes',
  'ProtectControlGroups=yes',
  'ProtectClock=yes',
  'ProtectHostname=yes',
]

const HOMES = { hidden: 'yes', 'read-only': 'read-only', writable: 'no' } as const

/** What of the file system is for the service. */
function fileSystemOf({ home = 'hidden', writablePaths = [] }: UnitSpec): string[] {
  if (!Object.hasOwn(HOMES, home)) {
    throw invalid(`home ${JSON.stringify(home)} is unknown; give one of ${Object.keys(HOMES).join(', ')}`)
  }
  const paths = writablePaths.map((path) => quoteWord(checkPath(path, 'writablePaths'), 'writablePaths'))
  return [
    directive('ProtectHome', HOMES[home]),
    ...(paths.length === 0 ? [] : [directive('ReadWritePaths', paths.join(' '))]),
  ]
}

/**
 * The file as a whole.
 * @param extra lines of [Service] beside those that `spec` asks for
 * @param hardening the last lines of [Service]
 */
export function unitText(spec: UnitSpec, extra: readonly string[], hardening: readonly string[]): string {
  const { startLimitBurst = 5, startLimitIntervalMs = 300_000 } = spec
  const description = spec.description ?? spec.program.slice(spec.program.lastIndexOf('/') + 1)
  const sections = [
    [
      '[Unit]',
      directive('Description', wholeLine(description, 'description')),
      directive('StartLimitIntervalSec', milliseconds(startLimitIntervalMs, 'startLimitIntervalMs')),
      directive('StartLimitBurst', count(startLimitBurst, 'startLimitBurst')),
    ],
    ['[Service]', ...serviceLines(spec), ...extra],
    ...(hardening.length === 0 ? [] : [['# What it does not need is kept from it.', ...hardening]]),
    ['[Install]', 'WantedBy=multi-user.target'],
  ]
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function serviceLines(spec: UnitSpec): string[] {
  const { restart = 'on-failure', restartDelayMs = 1000 } = spec
  if (!UNIT_RESTARTS.includes(restart)) {
    throw invalid(`restart ${JSON.stringify(restart)} is unknown; give one of ${UNIT_RESTARTS.join(', ')}`)
  }
  const environment = Object.entries(spec.environment ?? {}).map(([name, value]) => {
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return quoteWord(`${name}=${value}`, `environment ${name}`)
    throw invalid(`environment ${JSON.stringify(name)} is no name of a variable: letters, digits and _`)
  })
  return [
    'Type=exec',
    directive('ExecStart', commandLine(spec)),
    ...optional('User', spec.user, (user) => account(user, 'user')),
    ...optional('Group', spec.group, (group) => account(group, 'group')),
    ...optional('WorkingDirectory', spec.workingDirectory, (path) =>
      wholeLine(checkPath(path, 'workingDirectory'), 'workingDirectory'),
    ),
    ...environment.map((word) => directive('Environment', word)),
    ...optional('StateDirectory', spec.stateDirectory, stateDirectory),
    ...(spec.stateDirectory === undefined ? [] : ['StateDirectoryMode=0700']),
    'UMask=0077',
    directive('Restart', restart),
    directive('RestartSec', milliseconds(restartDelayMs, 'restartDelayMs')),
    ...optional('MemoryMax', spec.memoryMax, (bytes) => count(bytes, 'memoryMax')),
    ...optional('CPUQuota', spec.cpuQuotaPercent, (percent) => `${count(percent, 'cpuQuotaPercent')}%`),
    ...optional('TasksMax', spec.tasksMax, (tasks) => count(tasks, 'tasksMax')),
  ]
}

function commandLine({ program, args = [] }: UnitSpec): string {
  checkPath(program, 'program')
  // It is no place for variables, and no way is left to write their sign.
  if (program.includes('$') || program.endsWith('/')) {
    throw invalid(
      `program ${JSON.stringify(program)} holds a $, or is a directory; give a link to the program without them`,
    )
  }
  return [
    quoteWord(program, 'program'),
    ...args.map((arg, index) => quoteArgument(arg, `argument ${index + 1}`)),
  ].join(' ')
}

function capabilityLines({ capabilities = [], user }: UnitSpec): string[] {
  for (const name of capabilities) {
    if (/^CAP_[A-Z_]+$/.test(name)) continue
    throw invalid(
      `${JSON.stringify(name)} is no capability; give names of capabilities(7) such as CAP_NET_BIND_SERVICE`,
    )
  }
  const isRoot = user === undefined || user === 'root' || user === '0'
  return [
    directive('CapabilityBoundingSet', capabilities.join(' ')),
    ...(isRoot || capabilities.length === 0
      ? []
      : [directive('AmbientCapabilities', capabilities.join(' '))]),
  ]
}

function account(name: string, what: string): string {
  if (/^(?:\d{1,10}|[A-Za-z_][A-Za-z0-9_.-]{0,30})$/.test(name)) return name
  throw invalid(
    `${what} ${JSON.stringify(name)} is no name of an account; give a name such as www-data, or a number`,
  )
}

function stateDirectory(name: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name)) return name
  throw invalid(
    `stateDirectory ${JSON.stringify(name)} is no plain name; give one such as web, for /var/lib/web`,
  )
}

function optional<T>(name: string, value: T | undefined, write: (value: T) => string | number): string[] {
  return value === undefined ? [] : [directive(name, write(value))]
}

function count(value: number, what: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw outOfRange(value, what, 'a whole number from 1')
}

function milliseconds(value: number, what: string): string {
  if (Number.isSafeInteger(value) && value >= 0) return `${value}ms`
  throw outOfRange(value, what, 'whole milliseconds from 0')
}
