import {
  getResourceLimits,
  type LimitValue,
  RESOURCE_UNITS,
  RESOURCES,
  type Resource,
  type ResourceLimit,
  type ResourceLimits,
  setResourceLimit,
} from '../../public/control.js'
import type { ProcessIdentity } from '../../public/table.js'
import { EXIT } from '../exit_codes.js'
import { FaultList } from '../fault.js'
import { LIMIT_COLUMNS } from '../inspect/limits.js'
import { tableLines } from '../print_table.js'
import { didYouMean } from '../suggest.js'
import { quoted } from '../values.js'
import type { RawControl } from './options.js'
import { report } from './report.js'
import { readSize } from './sizes.js'
import { type Outcome, outcomeOf, pidsOf, Targets } from './targets.js'

export interface Change {
  readonly resource: Resource
  readonly limit: Partial<ResourceLimit>
}

/** `muster limit PID [RESOURCE=SOFT:HARD]...` */
export async function limit(word: string, words: readonly string[], raw: RawControl): Promise<void> {
  const faults = new FaultList()
  const pids = pidsOf([word], faults)
  const changes = words.flatMap((each) => limitChange(each, faults) ?? [])
  const twice = changes.find(
    ({ resource }, at) => changes.findIndex((each) => each.resource === resource) < at,
  )
  if (twice !== undefined) faults.add(EXIT.usage, `limit ${twice.resource} is given twice; give it once`)
  faults.throwIfAny()
  const targets = await Targets.identify(pids)
  if (changes.length === 0) return show(targets, raw)
  const results = await Promise.all(
    targets.identities.map((identity) => outcomeOf(identity.pid, () => change(identity, changes, raw))),
  )
  report(targets.merge(results), raw.json, ({ pid, limits }) =>
    Object.entries(limits)
      .map(([resource, { soft, hard }]) => `${pid}: ${resource} ${soft}:${hard}`)
      .join('\n'),
  )
}

/** The limits that hold after it. */
async function change(
  identity: ProcessIdentity,
  changes: readonly Change[],
  raw: RawControl,
): Promise<{ limits: Partial<Record<Resource, ResourceLimit>> }> {
  for (const { resource, limit } of changes) {
    const [result] = await setResourceLimit([identity], resource, limit, { force: raw.force === true })
    if (!result!.ok) throw result!.error
  }
  const now = await getResourceLimits(identity)
  return { limits: Object.fromEntries(changes.map(({ resource }) => [resource, now[resource]])) }
}

async function show(targets: Targets, { json }: RawControl): Promise<void> {
  const read = await Promise.all(
    targets.identities.map((identity) =>
      outcomeOf(identity.pid, async () => ({ limits: await getResourceLimits(identity) })),
    ),
  )
  const results: (Outcome | { pid: number; ok: true; limits: ResourceLimits })[] = targets.merge(read)
  report(results, json, (result) => ('limits' in result ? table(result.pid, result.limits) : ''))
}

function table(pid: number, limits: ResourceLimits): string {
  const rows = Object.entries(limits) as [Resource, ResourceLimit][]
  return [`${pid}:`, ...tableLines(rows, LIMIT_COLUMNS, undefined)].join('\n')
}

const WANTED = 'give RESOURCE=SOFT, RESOURCE=SOFT:HARD or RESOURCE=:HARD, for example nofile=4096:8192'

/** `nofile=4096:8192`. */
export function limitChange(word: string, faults: FaultList): Change | undefined {
  const [, name, softText, hardText] = /^([^=]*)=([^:]*)(?::(.*))?$/s.exec(word) ?? []
  if (name === undefined || (softText === '' && !hardText)) {
    return faults.add(EXIT.malformed, `limit ${quoted(word)} has no value; ${WANTED}`)
  }
  const resource = RESOURCES.find((each) => each === name.toLowerCase())
  if (resource === undefined) {
    const hint = `${didYouMean(name, RESOURCES)}; give one of ${RESOURCES.join(', ')}`
    return faults.add(EXIT.malformed, `limit ${quoted(word)}: ${quoted(name)} is no resource${hint}`)
  }
  const value = (text: string | undefined) => (text ? limitValue(text, word, resource, faults) : undefined)
  const soft = value(softText)
  const hard = value(hardText)
  if (soft !== undefined && hard !== undefined && asNumber(soft) > asNumber(hard)) {
    return faults.add(
      EXIT.outOfRange,
      `limit ${quoted(word)}: the soft limit is above the hard one; give a soft one of at most ${hard}`,
    )
  }
  return { resource, limit: { ...(soft !== undefined && { soft }), ...(hard !== undefined && { hard }) } }
}

const asNumber = (value: LimitValue): number => (value === 'unlimited' ? Number.POSITIVE_INFINITY : value)

function limitValue(
  text: string,
  word: string,
  resource: Resource,
  faults: FaultList,
): LimitValue | undefined {
  if (text === 'unlimited') return text
  if (RESOURCE_UNITS[resource] === 'bytes') return readSize(text, `limit ${quoted(word)}:`, faults)
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text)
  const wanted = `a whole number${RESOURCE_UNITS[resource] ? ` of ${RESOURCE_UNITS[resource]}` : ''}, or unlimited`
  return faults.add(EXIT.malformed, `limit ${quoted(word)}: ${quoted(text)} is no value; give ${wanted}`)
}
