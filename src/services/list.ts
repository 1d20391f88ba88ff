import { checkOptions, ELSEWHERE, TEXT } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { runSystemctl, SERVICE_CHECKS, type ServiceOptions } from './systemctl.js'
import { UNIT_TYPES, type UnitType } from './unit_names.js'

/** Options of `listServices`. */
export interface ListServicesOptions extends ServiceOptions {
  /** One kind of units, or `all`; default `service`. */
  readonly type?: UnitType | 'all'
  /** Only those whose load, active or sub state this is, for example `failed` or `running`. */
  readonly state?: string
}

/** A unit that the service manager has loaded. */
export interface ServiceEntry {
  /** With its suffix. */
  readonly unit: string
  /** Free text of whoever made the unit. */
  readonly description: string
  /** `loaded`, `not-found` (others name it, and it is not installed), `masked`, `error`, `bad-setting`, ... */
  readonly loadState: string
  /** `active`, `inactive`, `failed`, `activating`, `deactivating`, `reloading`, `maintenance`. */
  readonly activeState: string
  /** Finer, by kind of unit: `running`, `exited`, `dead`, `auto-restart`, ... */
  readonly subState: string
}

/**
 * The units that the service manager has loaded, in its order; what is installed and neither enabled nor used by another
 * unit is not among them.
 * @throws ProcmusterError `UNSUPPORTED` without systemd, `INVALID_ARGUMENT`, `TIMEOUT`
 */
export async function listServices(options: ListServicesOptions = {}): Promise<ServiceEntry[]> {
  checkOptions(options, { ...SERVICE_CHECKS, type: ELSEWHERE, state: TEXT })
  const { type = 'service', state } = options
  if (type !== 'all' && !UNIT_TYPES.includes(type)) {
    throw invalid(`${JSON.stringify(type)} is no kind of unit; give all or one of ${UNIT_TYPES.join(', ')}`)
  }
  if (state !== undefined && !/^[a-z]+(?:-[a-z]+)*$/.test(state)) {
    throw invalid(`${JSON.stringify(state)} is no state of a unit; give one such as failed or running`)
  }
  const filters = [
    ...(type === 'all' ? [] : [`--type=${type}`]),
    ...(state === undefined ? [] : [`--state=${state}`]),
  ]
  // Not its plain table: a description can hold line breaks there, and so forge a unit.
  return parseUnitList(
    await runSystemctl('listServices', ['list-units', '--all', '--output=json', ...filters], options),
  )
}

/**
 * Takes apart what `systemctl list-units --output=json` prints.
 * @throws ProcmusterError `UNSUPPORTED` for what is no such list
 */
export function parseUnitList(text: string): ServiceEntry[] {
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    // Told below: before version 246 a table was printed.
  }
  if (!Array.isArray(list)) {
    const message = `listServices: systemctl printed no list in JSON, which takes systemd 246: ${JSON.stringify(text.slice(0, 80))}`
    throw new ProcmusterError('UNSUPPORTED', { message })
  }
  return list.map((entry: unknown): ServiceEntry => {
    const of = (key: string): string => {
      const value = (entry as Record<string, unknown> | null)?.[key]
      if (typeof value === 'string') return value
      const message = `listServices: systemctl printed a unit without ${key}: ${JSON.stringify(entry).slice(0, 80)}`
      throw new ProcmusterError('IO_ERROR', { message })
    }
    return {
      unit: of('unit'),
      description: of('description'),
      loadState: of('load'),
      activeState: of('active'),
      subState: of('sub'),
    }
  })
}

const invalid = (message: string) => new ProcmusterError('INVALID_ARGUMENT', { message })
