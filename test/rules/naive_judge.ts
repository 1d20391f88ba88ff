import type { Clause } from '../../dist/rules/language/print.js'
import type { CheckedRule } from '../../dist/rules/schema/rule.js'
import { MEMORY_BYTES } from './local_judge.js'
import type { SyntheticProcess } from './synthetic_table.js'

interface Memory {
  process: SyntheticProcess
  active: boolean
  firing: boolean
  sinceMs: number
  firedMs: number | undefined
}

/**
 * The rules' meaning, written down a second time and in the plainest way: objects, operators, one process at a time. Knows
 * nothing of intervals, bitsets or due times.
 */
export class NaiveJudge {
  readonly #memories: Map<number, Memory>[]
  #previousMs = 0

  constructor(readonly rules: readonly CheckedRule[]) {
    this.#memories = rules.map(() => new Map())
  }

  /** Decisions in short: `rule kind cause pid`, with the time since. */
  judge(processes: readonly SyntheticProcess[], sampledTicks: number, nowMs: number): string[] {
    const gapMs = nowMs - this.#previousMs
    this.#previousMs = nowMs
    return this.rules.flatMap((rule, index) =>
      this.#judgeRule(rule, this.#memories[index]!, processes, sampledTicks, nowMs, gapMs),
    )
  }

  #judgeRule(
    rule: CheckedRule,
    memories: Map<number, Memory>,
    processes: readonly SyntheticProcess[],
    sampledTicks: number,
    nowMs: number,
    gapMs: number,
  ): string[] {
    const decisions: string[] = []
    const tell = (what: string, process: SyntheticProcess, since = '') =>
      decisions.push(`${rule.name} ${what} ${process.pid}${since}`)
    for (const [slot, memory] of memories) {
      const now = processes.find((process) => process.slot === slot)
      if (now?.generation === memory.process.generation) continue
      if (memory.firing) tell('clear gone', memory.process)
      memories.delete(slot)
    }
    for (const process of processes) {
      let memory = memories.get(process.slot)
      if (memory === undefined) {
        memory = { process, active: false, firing: false, sinceMs: 0, firedMs: undefined }
        memories.set(process.slot, memory)
      }
      if (!matches(rule, process)) {
        if (memory.firing) tell('clear unmatched', process)
        memory.active = false
        memory.firing = false
        continue
      }
      const truths = rule.when.clauses.map((clause) => truthOf(clause, process))
      if (truths.includes(false)) {
        if (memory.firing) tell('clear condition', process)
        memory.active = false
        memory.firing = false
        continue
      }
      const isUnknown = truths.includes(undefined)
      if (!memory.active) {
        if (isUnknown) continue
        memory.active = true
        memory.sinceMs = nowMs
      } else if (!memory.firing && (isUnknown || gapMs < 0)) {
        memory.sinceMs += gapMs
      }
      const { cooldown } = rule
      if (memory.firing && cooldown === undefined) continue
      let dueMs = memory.firing ? Number.NEGATIVE_INFINITY : memory.sinceMs + rule.when.forMs
      if (cooldown !== undefined && memory.firedMs !== undefined) {
        memory.firedMs = Math.min(memory.firedMs, nowMs)
        dueMs = Math.max(dueMs, memory.firedMs + cooldown)
      }
      if (isUnknown || dueMs > nowMs || process.startTicks! >= sampledTicks) continue
      memory.firing = true
      memory.firedMs = nowMs
      tell('fire', process, ` ${memory.sinceMs}`)
    }
    return decisions
  }
}

function matches({ match }: CheckedRule, process: SyntheticProcess): boolean {
  return (
    (match.pid === undefined || match.pid === process.pid) &&
    (match.name === undefined || match.name === process.name) &&
    (match.user === undefined ||
      (!process.missing?.includes('uid') &&
        (process.cells?.uid ?? 0) === (match.user === 'daemon' ? 1 : 0))) &&
    (match.kernelThreads === true || (process.flags! & 0x0020_0000) === 0)
  )
}

function truthOf(
  { column, op, threshold, ofMemory }: Clause,
  process: SyntheticProcess,
): boolean | undefined {
  const cells: Record<string, number | undefined> = { uid: 0, ...process.cells }
  const cell = process.missing?.includes(column) ? undefined : cells[column]
  if (cell === undefined) return undefined
  const limit = ofMemory ? (threshold / 100) * MEMORY_BYTES : threshold
  switch (op) {
    case '>':
      return cell > limit
    case '>=':
      return cell >= limit
    case '<':
      return cell < limit
    case '<=':
      return cell <= limit
    case '==':
      return cell === limit
    case '!=':
      return cell !== limit
  }
}
