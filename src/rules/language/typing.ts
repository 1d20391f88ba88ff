import { checkHas } from '../../arguments.js'
import type { Resource } from '../../control/rlimit.js'
import { COLUMNS } from '../../table/columns.js'
import { columnId } from '../../table/layout.js'
import type { Arithmetic, HostMetric, Operand, Unit } from './ast.js'

/** What an operand's number is measured in. */
export function unitOf(operand: Operand): Unit {
  checkHas('the operand', operand, ['kind'], 'one of parseWhen')
  switch (operand.kind) {
    case 'constant':
      return operand.unit
    case 'memoryShare':
      return 'bytes'
    case 'state':
      return 'state'
    case 'column':
      return operand.column === 'state' ? 'state' : COLUMNS[columnId[operand.column]]!.unit
    case 'limit':
      return limitUnit(operand.resource)
    case 'host':
      return hostUnit(operand.metric)
    case 'age':
    case 'stateSeconds':
      return 's'
    case 'arithmetic':
      return arithmeticUnit(operand)
    case 'window':
      return operand.fn === 'rate' ? perSecond(unitOf(operand.of)) : unitOf(operand.of)
    case 'timeTo':
      return 'ms'
    case 'aggregate':
      return unitOf(operand.of)
    case 'count':
      return ''
    case 'exitRate':
      return '1/s'
  }
}

/** Whether numbers of the two units may be compared, added and subtracted. */
export function isComparable(left: Unit, right: Unit): boolean {
  const isPure = (unit: Unit): boolean => unit === '' || unit === 'ratio'
  return left === right || (isPure(left) && isPure(right))
}

/** Whether `80%` beside it means percent of the host's physical memory. */
export function isMemory(operand: Operand): boolean {
  if (unitOf(operand) !== 'bytes') return false
  switch (operand.kind) {
    case 'memoryShare':
      return true
    case 'column':
      return COLUMNS[columnId[operand.column]]!.group !== 'io'
    case 'limit':
      return memoryLimits.has(operand.resource)
    case 'host':
      return !operand.metric.startsWith('swap') // of which percent would be read as percent of the swap space
    case 'window':
    case 'aggregate':
      return isMemory(operand.of)
    case 'arithmetic':
      return [operand.left, operand.right].every(
        (part) => part.kind === 'constant' || unitOf(part) !== 'bytes' || isMemory(part),
      )
    default:
      return false
  }
}

const memoryLimits = new Set<Resource>(['as', 'data', 'rss', 'stack', 'memlock'])
const byteLimits = new Set<Resource>([...memoryLimits, 'fsize', 'core', 'msgqueue'])

/** getrlimit(2); `rttime` is a plain number of microseconds. */
function limitUnit(resource: Resource): Unit {
  if (byteLimits.has(resource)) return 'bytes'
  return resource === 'cpu' ? 's' : ''
}

function hostUnit(metric: HostMetric): Unit {
  if (metric.endsWith('Bytes')) return 'bytes'
  if (metric === 'cpuPercent' || metric.startsWith('pressure.')) return '%'
  return metric === 'uptimeSeconds' ? 's' : ''
}

function perSecond(unit: Unit): Unit {
  if (unit === 'bytes') return 'bytes/s'
  return unit === '' ? '1/s' : ''
}

function arithmeticUnit({ op, left, right }: Arithmetic): Unit {
  const [a, b] = [unitOf(left), unitOf(right)]
  switch (op) {
    case '+':
    case '-':
      return a === '' ? b : a
    case '*':
      return productUnit(a, b)
    case '/':
      // Half of a count is a count, one count by another is a ratio.
      return b === '' && right.kind === 'constant' ? a : quotientUnit(a, b)
  }
}

/** Of what has no unit of its own here, for example bytes by bytes, the product is a plain number. */
function productUnit(a: Unit, b: Unit): Unit {
  if (a === 'ratio') return b
  if (b === 'ratio') return a
  if (a === '') return b
  if (b === '') return a
  return products.get(`${a} ${b}`) ?? products.get(`${b} ${a}`) ?? ''
}

function quotientUnit(a: Unit, b: Unit): Unit {
  if (a === b || (a === '' && b === 'ratio') || (a === 'ratio' && b === '')) return 'ratio'
  if (b === '' || b === 'ratio') return a
  return quotients.get(`${a || 'ratio'} ${b}`) ?? ''
}

const products = new Map<string, Unit>([
  ['bytes/s s', 'bytes'],
  ['1/s s', ''],
  ['bytes 1/s', 'bytes/s'],
])
const quotients = new Map<string, Unit>([
  ['bytes s', 'bytes/s'],
  ['bytes bytes/s', 's'],
  ['bytes/s bytes', '1/s'],
  ['ratio s', '1/s'],
  ['ratio 1/s', 's'],
])
