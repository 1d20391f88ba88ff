export {
  type Comparison,
  type Condition,
  type GroupKind,
  HOST_METRICS,
  type HostMetric,
  type Operand,
  type Operator,
  type Unit,
  type When,
} from '../rules/language/ast.js'
export { parseDuration } from '../rules/language/durations.js'
export { parseWhen } from '../rules/language/parse.js'
export { printCondition, printOperand, printWhen } from '../rules/language/print.js'
export { unitOf } from '../rules/language/typing.js'
export { parseBytes, printDuration } from '../rules/language/units.js'
export { allOperands, comparisonsOf } from '../rules/language/walk.js'
