import { fileURLToPath } from 'node:url'
import { checkOptions, ELSEWHERE, FLAG, listOf, NUMBER, TEXT } from '../arguments.js'
import { PACKAGE_FILES } from '../package_files.js'
import { hardeningOf, type UnitSpec, unitText } from './unit_file.js'
import { checkPath } from './unit_syntax.js'

/** How `muster watch` is to run as a service. */
export interface WatchUnitSpec extends Pick<UnitSpec, 'memoryMax' | 'writablePaths'> {
  /** Absolute path of its configuration file; its directory has to be readable for root. */
  readonly config: string
  /**
   * Its rules restart processes that no service manager runs. What it starts inherits what is kept from it, and a process
   * in another view of the file system is not restarted at all: hardly anything is kept from it then. Default false.
   */
  readonly restarts?: boolean
}

/** Below /var/lib: evidence and journal, unless the configuration says another directory. */
const STATE_DIRECTORY = 'muster'

const OWN_LINES: readonly string[] = [
  'ExecReload=/bin/kill -HUP $MAINPID',
  // Its exit code when SIGTERM has stopped it cleanly.
  'SuccessExitStatus=143',
  // Of no use again: what it was told to do is at fault.
  'RestartPreventExitStatus=2 3 4 8',
]

/** What the table of permissions in docs/operations.md names; root without them sees and does less. */
const WATCH = [
  'CAP_BPF',
  'CAP_PERFMON',
  'CAP_SYS_PTRACE',
  'CAP_DAC_READ_SEARCH',
  'CAP_KILL',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  // Births and deaths by netlink, on kernels before 6.6.
  'CAP_NET_ADMIN',
]

/**
 * The text of a unit file that runs this package's `muster watch --config` by this Node.js, as root with only the
 * capabilities that it uses. Evidence and journal are in /var/lib/muster; other paths that the configuration has written are
 * to be named in `writablePaths`. `systemctl reload` has it read its rules again.
 * @throws ProcmusterError `INVALID_ARGUMENT`, `OUT_OF_RANGE`
 */
export function generateWatchUnit(spec: WatchUnitSpec): string {
  checkOptions(spec, { config: ELSEWHERE, restarts: FLAG, memoryMax: NUMBER, writablePaths: listOf(TEXT) })
  const { config, restarts = false, ...rest } = spec
  TEXT('config', config)
  const main = fileURLToPath(PACKAGE_FILES.muster)
  const whole: UnitSpec = {
    ...rest,
    program: process.execPath,
    args: [
      main,
      'watch',
      '--config',
      checkPath(config, 'config'),
      '--directory',
      `/var/lib/${STATE_DIRECTORY}`,
    ],
    description: 'Watch processes by rules (muster)',
    stateDirectory: STATE_DIRECTORY,
    capabilities: WATCH,
    home: 'read-only',
  }
  if (!restarts) return unitText(whole, OWN_LINES, hardeningOf(whole))
  // What it started again is not to end with it.
  return unitText(whole, [...OWN_LINES, 'KillMode=process'], [])
}
