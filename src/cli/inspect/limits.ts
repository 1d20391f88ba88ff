import {
  getResourceLimits,
  type LimitValue,
  RESOURCE_UNITS,
  type Resource,
  type ResourceLimit,
} from '../../public/control.js'
import { FaultList } from '../fault.js'
import { printTable, type TextColumn } from '../print_table.js'
import { shortBytes } from '../quantities.js'
import { printJson } from './json.js'
import { lookInto, readPid } from './target.js'

/** `muster limits` with what the user gave. */
export async function listLimits(word: string | undefined, raw: { json?: boolean }): Promise<void> {
  const faults = new FaultList()
  const pid = readPid(word, faults)
  faults.throwIfAny()
  const limits = await lookInto(pid!, (target) => getResourceLimits(target))
  if (raw.json === true) return printJson(limits)
  return printTable(Object.entries(limits) as [Resource, ResourceLimit][], LIMIT_COLUMNS)
}

const SHORT = { seconds: ' s', microseconds: ' us' } as const

function limitText(resource: Resource, value: LimitValue): string {
  if (value === 'unlimited') return value
  const unit = RESOURCE_UNITS[resource]
  return unit === 'bytes' ? shortBytes(value) : `${value}${unit === undefined ? '' : SHORT[unit]}`
}

/** Of a table of limits. */
export const LIMIT_COLUMNS: readonly TextColumn<[Resource, ResourceLimit]>[] = [
  { heading: 'LIMIT', align: 'left', text: ([resource]) => resource },
  { heading: 'SOFT', align: 'right', text: ([resource, { soft }]) => limitText(resource, soft) },
  { heading: 'HARD', align: 'right', text: ([resource, { hard }]) => limitText(resource, hard) },
]
