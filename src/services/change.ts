import { type Checks, checkOptions, FLAG, listOf, TEXT } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { runSystemctl, SERVICE_CHECKS, type ServiceOptions } from './systemctl.js'
import { unitName } from './unit_names.js'

/** What became of one unit; results come in the order of the units. */
export type ServiceResult =
  | { readonly unit: string; readonly ok: true }
  | { readonly unit: string; readonly ok: false; readonly error: ProcmusterError }

/** One unit or several; what has no suffix is a service. */
export type Units = string | readonly string[]

/** Options of `enableService` and `disableService`. */
export interface EnableOptions extends ServiceOptions {
  /** Also start (or stop) it at once. */
  readonly now?: boolean
}

/**
 * Starts units, one after the other, and waits for each as `systemctl start` does. What ends right after its start still
 * counts as started unless its `Type=` makes the manager wait for it: ask `serviceStatus` later.
 * @throws ProcmusterError `INVALID_ARGUMENT` for what cannot be a name; nothing is done then. All else is in the results:
 * `NOT_FOUND`, `ACCESS_DENIED`, `SERVICE_FAILED`, `TIMEOUT`, `UNSUPPORTED`
 */
export const startService = (units: Units, options: ServiceOptions = {}): Promise<ServiceResult[]> =>
  change('start', units, options)

/** Stops units, as `startService` starts them. */
export const stopService = (units: Units, options: ServiceOptions = {}): Promise<ServiceResult[]> =>
  change('stop', units, options)

/** Stops units and starts them again; those that do not run are started. As `startService` otherwise. */
export const restartService = (units: Units, options: ServiceOptions = {}): Promise<ServiceResult[]> =>
  change('restart', units, options)

/**
 * Has units start at boot, as their `[Install]` section says; one without such a section is `SERVICE_FAILED`. As
 * `startService` otherwise.
 */
export const enableService = (units: Units, options: EnableOptions = {}): Promise<ServiceResult[]> =>
  change('enable', units, options)

/** Undoes `enableService`. */
export const disableService = (units: Units, options: EnableOptions = {}): Promise<ServiceResult[]> =>
  change('disable', units, options)

/** What `muster service` and these functions have systemctl do. */
type Verb = 'start' | 'stop' | 'restart' | 'enable' | 'disable'

const ENABLE_CHECKS: Checks<EnableOptions> = { ...SERVICE_CHECKS, now: FLAG }

async function change(verb: Verb, units: Units, options: EnableOptions): Promise<ServiceResult[]> {
  checkOptions(options, verb === 'enable' || verb === 'disable' ? ENABLE_CHECKS : SERVICE_CHECKS)
  const list = typeof units === 'string' ? [units] : units
  listOf(TEXT)('units', list)
  const names = list.map(unitName)
  const results: ServiceResult[] = []
  for (const unit of names) {
    try {
      await changeOne(verb, unit, { timeoutMs: 120_000, ...options })
      results.push({ unit, ok: true })
    } catch (error) {
      if (!(error instanceof ProcmusterError)) throw error
      results.push({ unit, ok: false, error })
    }
  }
  return results
}

async function changeOne(verb: Verb, unit: string, options: EnableOptions): Promise<void> {
  const action = `${verb}Service ${unit}`
  if (verb === 'enable') await refuseUninstallable(action, unit, options)
  await runSystemctl(action, [verb, ...(options.now ? ['--now'] : []), '--', unit], options)
}

/** systemctl has nothing but words for that, and an exit code of success. */
async function refuseUninstallable(action: string, unit: string, options: ServiceOptions): Promise<void> {
  const text = await runSystemctl(
    action,
    ['show', '--property=UnitFileState', '--value', '--', unit],
    options,
  )
  const state = text.trim()
  if (state !== 'static' && state !== 'generated' && state !== 'transient') return
  throw new ProcmusterError('SERVICE_FAILED', {
    message: `${action}: it is ${state}, and cannot be enabled; give its unit file an [Install] section with WantedBy=, or have another unit want it`,
  })
}
