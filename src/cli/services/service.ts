import { ProcmusterError } from '../../public/errors.js'
import {
  disableService,
  enableService,
  listServices,
  restartService,
  type ServiceEntry,
  type ServiceOptions,
  type ServiceStatus,
  serviceStatus,
  startService,
  stopService,
  type UnitType,
  unitName,
} from '../../public/services.js'
import { EXIT, exitCodeOf } from '../exit_codes.js'
import { FaultList, faultsOf, messageOf } from '../fault.js'
import { printJson } from '../inspect/json.js'
import { printTable, type TextColumn } from '../print_table.js'
import { clockTime, localDate, shortAge, shortBytes } from '../quantities.js'
import { escapeForTerminal } from '../terminal.js'
import { readNumber } from '../values.js'

/** As commander hands them over. */
export interface RawService {
  userManager?: boolean
  timeout?: string
  json?: boolean
}

export interface RawList extends RawService {
  type?: string
  state?: string
}

export interface RawChange extends RawService {
  now?: boolean
}

const TIMEOUT = { flag: '--timeout', wanted: 'seconds from 0.1 to 86400', min: 0.1, max: 86_400 }

/** `muster service list` */
export async function list(raw: RawList): Promise<void> {
  const options = readOptions(raw, new FaultList())
  const { type = 'service', state } = raw
  const services = await listServices({
    ...options,
    type: type as UnitType | 'all',
    ...(state !== undefined && { state }),
  })
  return raw.json === true ? printJson(services) : printTable(services, COLUMNS)
}

/** `muster service status UNIT...` */
export async function status(words: readonly string[], raw: RawService): Promise<void> {
  const { names, options } = read(words, raw)
  const results = await Promise.all(
    names.map((unit) =>
      serviceStatus(unit, options).catch((error: unknown) => {
        if (!(error instanceof ProcmusterError)) throw error
        return { unit, ok: false as const, error }
      }),
    ),
  )
  if (raw.json === true) printJson(results.map((result) => ('ok' in result ? jsonOf(result) : result)))
  else {
    const texts = results.flatMap((result) => ('ok' in result ? [] : [told(result)]))
    if (texts.length > 0) process.stdout.write(texts.join('\n'))
  }
  finish(
    results.flatMap((result) => ('ok' in result ? [result] : [])),
    raw,
  )
}

const CHANGES = {
  start: [startService, 'started'],
  stop: [stopService, 'stopped'],
  restart: [restartService, 'restarted'],
  enable: [enableService, 'starts at boot'],
  disable: [disableService, 'no longer starts at boot'],
} as const

/** `muster service start UNIT...` and so on */
export async function change(
  verb: keyof typeof CHANGES,
  words: readonly string[],
  raw: RawChange,
): Promise<void> {
  const { names, options } = read(words, raw)
  const [act, done] = CHANGES[verb]
  const results = await act(names, { ...options, ...(raw.now && { now: true }) })
  const failures = results.filter((result) => !result.ok)
  if (raw.json === true) printJson(results.map((result) => (result.ok ? result : jsonOf(result))))
  else for (const { unit, ok } of results) if (ok) process.stdout.write(`${unit}: ${done}\n`)
  finish(failures, raw)
}

interface Failure {
  readonly unit: string
  readonly ok: false
  readonly error: ProcmusterError
}

const jsonOf = ({ unit, ok, error }: Failure) => ({
  unit,
  ok,
  error: { code: error.code, message: messageOf(error) },
})

/** The first failure decides the exit code. */
function finish(failures: readonly Failure[], raw: RawService): void {
  const [first] = failures
  if (first !== undefined && raw.json === true) {
    process.exitCode = exitCodeOf[first.error.code] ?? EXIT.failure
    return
  }
  const faults = new FaultList()
  for (const { error } of failures)
    for (const fault of faultsOf(error)) faults.add(fault.exitCode, fault.message)
  faults.throwIfAny()
}

function read(words: readonly string[], raw: RawService): { names: string[]; options: ServiceOptions } {
  const faults = new FaultList()
  const names = words.flatMap((word) => {
    try {
      return [unitName(word)]
    } catch (error) {
      faults.add(EXIT.malformed, messageOf(error))
      return []
    }
  })
  return { names, options: readOptions(raw, faults) }
}

function readOptions(raw: RawService, faults: FaultList): ServiceOptions {
  const seconds = raw.timeout === undefined ? undefined : readNumber(raw.timeout, TIMEOUT, faults)
  faults.throwIfAny()
  return {
    manager: raw.userManager === true ? 'user' : 'system',
    ...(seconds !== undefined && { timeoutMs: Math.round(seconds * 1000) }),
  }
}

const COLUMNS: readonly TextColumn<ServiceEntry>[] = [
  { heading: 'UNIT', align: 'left', text: ({ unit }) => escapeForTerminal(unit) },
  { heading: 'LOAD', align: 'left', text: ({ loadState }) => escapeForTerminal(loadState) },
  { heading: 'ACTIVE', align: 'left', text: ({ activeState }) => escapeForTerminal(activeState) },
  { heading: 'SUB', align: 'left', text: ({ subState }) => escapeForTerminal(subState) },
  { heading: 'DESCRIPTION', align: 'left', text: ({ description }) => escapeForTerminal(description) },
]

function told(service: ServiceStatus): string {
  const { unit, description, activeState, subState, sinceMs } = service
  const since =
    sinceMs === undefined
      ? ''
      : ` since ${localDate(sinceMs)} ${clockTime(sinceMs)}, ${shortAge((Date.now() - sinceMs) / 1000)}`
  const lines: [string, string | number | undefined][] = [
    ['state', `${activeState} (${subState})${since}`],
    ['result', resultOf(service)],
    ['main pid', service.mainPid],
    ['tasks', service.tasks],
    ['memory', service.memoryBytes === undefined ? undefined : shortBytes(service.memoryBytes)],
    ['restarts', service.restarts],
    ['at boot', service.unitFileState],
    [
      'unit file',
      service.path === undefined
        ? undefined
        : `${service.path}${service.needsReload ? ' (has changed: systemctl daemon-reload)' : ''}`,
    ],
    ['cgroup', service.cgroup],
  ]
  const rows = lines.flatMap(([name, value]) =>
    value === undefined ? [] : [`  ${name.padEnd(10)}${escapeForTerminal(String(value))}`],
  )
  return `${[escapeForTerminal(description === undefined || description === unit ? unit : `${unit}: ${description}`), ...rows].join('\n')}\n`
}

function resultOf({ result, exitCode, signal }: ServiceStatus): string | undefined {
  if (result === undefined) return undefined
  if (signal !== undefined) return `${result} (signal ${signal})`
  return exitCode === undefined ? result : `${result} (exit code ${exitCode})`
}
