import type { GroupKind, Operand, When } from './ast.js'
import { isOfProcess } from './calls.js'
import { printOperand } from './print.js'
import { allOperands, operandsOf, partsOf } from './walk.js'

/**
 * Why a condition is not one about the subject of its rule: a process, or with `per` what processes have in common.
 * Undefined when it is.
 */
export function scopeFault(when: When, per: GroupKind | undefined): string | undefined {
  if (per === undefined) {
    for (const operand of allOperands(when.condition)) {
      if (operand.kind !== 'aggregate' && operand.kind !== 'count' && operand.kind !== 'exitRate') continue
      return `${printOperand(operand)} is of many processes; say by 'per' of which, for example 'per: unit', or 'per: all'`
    }
    return undefined
  }
  for (const operand of operandsOf(when.condition)) {
    const single = singleOf(operand)
    if (single === undefined) continue
    const name = printOperand(single)
    const isState = single.kind === 'column' && single.column === 'state'
    return isState
      ? "a group has no state; write 'match: { state: D }' and 'count() > 0'"
      : `${name} is of one process; with 'per: ${per}' write sum(${name}), avg(${name}), min(${name}) or max(${name})`
  }
  return undefined
}

/** The first part that is of one process, outside of every aggregate. */
function singleOf(operand: Operand): Operand | undefined {
  if (operand.kind === 'aggregate') return undefined
  if (isOfProcess(operand)) return operand
  for (const part of partsOf(operand)) {
    const found = singleOf(part)
    if (found !== undefined) return found
  }
  return undefined
}
