import { checkOptions } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { runSystemctl, SERVICE_CHECKS, type ServiceOptions } from './systemctl.js'
import { unitName } from './unit_names.js'

/** How a unit is; what does not apply to its kind, or is not counted on this host, is undefined. */
export interface ServiceStatus {
  readonly unit: string
  readonly description: string | undefined
  /** `loaded`, `masked`, `error`, `bad-setting`, ... */
  readonly loadState: string
  /** `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`, `maintenance`. */
  readonly activeState: string
  /** Finer, by kind of unit: `running`, `exited`, `dead`, `auto-restart`, ... */
  readonly subState: string
  /** `enabled`, `disabled`, `static`, `masked`, `transient`, ...; undefined without a unit file. */
  readonly unitFileState: string | undefined
  /** Of its unit file. */
  readonly path: string | undefined
  /** The manager's own PID namespace counts. */
  readonly mainPid: number | undefined
  /** Processes and threads in its control group. */
  readonly tasks: number | undefined
  readonly memoryBytes: number | undefined
  /** By the manager itself (`Restart=`), since it was last started by somebody. */
  readonly restarts: number | undefined
  /** When its state last changed, in ms since 1970. */
  readonly sinceMs: number | undefined
  /** Of its last run: `success`, `exit-code`, `signal`, `core-dump`, `timeout`, `watchdog`, `oom-kill`, `start-limit-hit`, ... */
  readonly result: string | undefined
  /** Exit code of the main process's last run, where it ended by itself. */
  readonly exitCode: number | undefined
  /** Number of the signal that ended the main process's last run. */
  readonly signal: number | undefined
  /** Path below the root of the hierarchy. */
  readonly cgroup: string | undefined
  /** The unit file has changed since the manager read it. */
  readonly needsReload: boolean
}

const PROPERTIES = [
  'Id',
  'Description',
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'FragmentPath',
  'MainPID',
  'TasksCurrent',
  'MemoryCurrent',
  'NRestarts',
  'StateChangeTimestampMonotonic',
  'Result',
  'ExecMainCode',
  'ExecMainStatus',
  'ControlGroup',
  'NeedDaemonReload',
]

/**
 * How a unit is.
 * @param unit its name; without a suffix it is a service
 * @throws ProcmusterError `NOT_FOUND`, `UNSUPPORTED` without systemd, `INVALID_ARGUMENT` for what cannot be a name, `TIMEOUT`
 */
export async function serviceStatus(unit: string, options: ServiceOptions = {}): Promise<ServiceStatus> {
  checkOptions(options, SERVICE_CHECKS)
  const name = unitName(unit)
  const text = await runSystemctl(
    'serviceStatus',
    ['show', `--property=${PROPERTIES.join(',')}`, '--', name],
    options,
  )
  const status = parseStatus(text, {
    nowMs: Date.now(),
    monotonicUs: Number(process.hrtime.bigint() / 1000n),
  })
  if (status.loadState !== 'not-found') return status
  throw new ProcmusterError('NOT_FOUND', {
    message: `serviceStatus: there is no unit ${name}; \`systemctl list-unit-files\` lists what is installed`,
  })
}

/** Two clocks at the same time. */
interface Clocks {
  readonly nowMs: number
  /** CLOCK_MONOTONIC, clock_gettime(2), whose times no clock adjustment moves. */
  readonly monotonicUs: number
}

// waitid(2)
const CLD_EXITED = 1
const CLD_KILLED = 2
const CLD_DUMPED = 3

/**
 * Takes apart the `NAME=value` lines of `systemctl show`.
 * @throws ProcmusterError `IO_ERROR` for a line that is none, a name twice, or one of the states missing
 */
export function parseStatus(text: string, { nowMs, monotonicUs }: Clocks): ServiceStatus {
  const values = parseProperties(text)
  const of = (name: string): string | undefined => {
    const value = values.get(name)
    return value === '' || value === '[unprintable]' ? undefined : value
  }
  const required = (name: string): string => {
    const value = of(name)
    if (value === undefined) throw unreadable(`no ${name}`)
    return value
  }
  // `[not set]`, or the greatest number of 64 bits, where nothing is counted.
  const number = (name: string): number | undefined => {
    const value = of(name)
    if (value === undefined || !/^\d+$/.test(value)) return undefined
    return Number.isSafeInteger(Number(value)) ? Number(value) : undefined
  }
  const changedUs = number('StateChangeTimestampMonotonic')
  const endedBy = number('ExecMainCode')
  return {
    unit: required('Id'),
    description: of('Description'),
    loadState: required('LoadState'),
    activeState: required('ActiveState'),
    subState: required('SubState'),
    unitFileState: of('UnitFileState'),
    path: of('FragmentPath'),
    mainPid: number('MainPID') || undefined,
    tasks: number('TasksCurrent'),
    memoryBytes: number('MemoryCurrent'),
    restarts: number('NRestarts'),
    sinceMs: changedUs ? Math.round(nowMs - (monotonicUs - changedUs) / 1000) : undefined,
    result: of('Result'),
    exitCode: endedBy === CLD_EXITED ? number('ExecMainStatus') : undefined,
    signal: endedBy === CLD_KILLED || endedBy === CLD_DUMPED ? number('ExecMainStatus') : undefined,
    cgroup: of('ControlGroup'),
    needsReload: of('NeedDaemonReload') === 'yes',
  }
}

function parseProperties(text: string): Map<string, string> {
  const values = new Map<string, string>()
  for (const line of text.split('\n')) {
    if (line === '') continue
    const [, name, value] = /^([A-Za-z0-9]+)=(.*)$/.exec(line) ?? []
    if (name === undefined) throw unreadable(`the line ${JSON.stringify(line.slice(0, 80))}`)
    // A text with a line break in it could pass for another property.
    if (values.has(name)) throw unreadable(`${name} twice`)
    values.set(name, value!)
  }
  return values
}

const unreadable = (what: string) =>
  new ProcmusterError('IO_ERROR', {
    message: `serviceStatus: systemctl printed ${what}, which cannot be understood`,
  })
