import { operandsOf } from '../../dist/rules/language/walk.js'
import type { CheckedRule } from '../../dist/rules/schema/rule.js'
import { type NaiveClock, NaiveSeries, type NaiveSubject, seenMs, takeIn, truthOf } from './naive_numbers.js'
import type { SyntheticProcess } from './synthetic_table.js'

interface Memory {
  active: boolean
  firing: boolean
  sinceMs: number
  firedMs: number | undefined
  clearMs: number | undefined
}

interface Remembered {
  readonly memories: Map<string, Memory>
  /** Subjects of the last tick, by id. */
  subjects: Map<string, NaiveSubject>
}

/**
 * The rules' meaning, written down a second time and in the plainest way: objects, operators, one subject at a time. Knows
 * nothing of intervals, bitsets or due times.
 */
export class NaiveJudge {
  readonly #remembered: Remembered[]
  readonly #series = new NaiveSeries()
  #previousMs = 0

  constructor(
    readonly rules: readonly CheckedRule[],
    readonly intervalMs?: number,
  ) {
    this.#remembered = rules.map(() => ({ memories: new Map(), subjects: new Map() }))
  }

  /** Decisions in short: `rule kind cause pid`, with the time since. */
  judge(
    processes: readonly SyntheticProcess[],
    sampledTicks: number,
    nowMs: number,
    host: Float64Array = new Float64Array(1).fill(Number.NaN),
  ): string[] {
    const gapMs = nowMs - this.#previousMs
    this.#previousMs = nowMs
    const clock = { nowMs, gapMs, intervalMs: this.intervalMs, sampledTicks, host, series: this.#series }
    const all = this.rules.map((rule, index) =>
      subjectsOf(rule, processes, this.#remembered[index]!.subjects),
    )
    for (const [index, { when, clear }] of this.rules.entries()) {
      for (const subject of all[index]!) {
        for (const operand of [when, clear].flatMap((each) => (each ? operandsOf(each.condition) : [])))
          takeIn(operand, subject, clock)
      }
    }
    const told = this.rules.flatMap((rule, index) =>
      this.#judgeRule(rule, this.#remembered[index]!, all[index]!, processes, clock),
    )
    this.#series.endTick()
    return told
  }

  #judgeRule(
    rule: CheckedRule,
    remembered: Remembered,
    subjects: readonly NaiveSubject[],
    processes: readonly SyntheticProcess[],
    clock: NaiveClock,
  ): string[] {
    const decisions: string[] = []
    const tell = (what: string, id: string, since = '') =>
      decisions.push(`${rule.name} ${what} ${labelOf(id)}${since}`)
    const { memories } = remembered
    const now = new Set(subjects.map(({ id }) => id))
    const alive = new Set(processes.map(idOf))
    for (const [id, memory] of memories) {
      if (now.has(id)) continue
      const isGone = rule.per !== undefined || !alive.has(id)
      if (memory.firing) tell(isGone ? 'clear gone' : 'clear unmatched', id)
      memory.active = false
      memory.firing = false
      memory.clearMs = undefined
      // A process is remembered as long as it lives, a group as long as the rule: its cooldown goes on.
      if (isGone && rule.per === undefined) memories.delete(id)
      if (isGone && rule.per !== undefined) memories.delete(id)
    }
    for (const subject of subjects) {
      const { id } = subject
      let memory = memories.get(id)
      if (memory === undefined) {
        memory = { active: false, firing: false, sinceMs: 0, firedMs: undefined, clearMs: undefined }
        memories.set(id, memory)
      }
      const what = settle(rule, subject, memory, clock)
      if (what === 'fire') tell('fire', id, ` ${memory.sinceMs}`)
      else if (what !== undefined) tell(what, id)
    }
    remembered.subjects = new Map(subjects.map((subject) => [subject.id, subject]))
    return decisions
  }
}

function settle(
  rule: CheckedRule,
  subject: NaiveSubject,
  memory: Memory,
  clock: NaiveClock,
): 'fire' | 'clear condition' | undefined {
  const { nowMs, gapMs } = clock
  const unseenMs = gapMs - seenMs(clock)
  const truth = truthOf(rule.when.condition, subject, clock)
  if (memory.firing && isCleared(rule, subject, memory, clock, unseenMs, truth)) {
    memory.active = false
    memory.firing = false
    memory.clearMs = undefined
    return 'clear condition'
  }
  if (!memory.active) {
    if (truth !== true) return undefined
    memory.active = true
    memory.sinceMs = nowMs
  } else if (!memory.firing) {
    if (truth === false) memory.active = false
    memory.sinceMs += truth === undefined ? gapMs : unseenMs
  }
  const { cooldown } = rule
  if (truth !== true || (memory.firing && cooldown === undefined)) return undefined
  let dueMs = memory.firing ? Number.NEGATIVE_INFINITY : memory.sinceMs + rule.when.forMs
  if (cooldown !== undefined && memory.firedMs !== undefined) {
    memory.firedMs = Math.min(memory.firedMs, nowMs)
    dueMs = Math.max(dueMs, memory.firedMs + cooldown)
  }
  const { process } = subject
  if (dueMs > nowMs || (process !== undefined && process.startTicks! >= clock.sampledTicks)) return undefined
  memory.firing = true
  memory.firedMs = nowMs
  return 'fire'
}

function isCleared(
  { clear }: CheckedRule,
  subject: NaiveSubject,
  memory: Memory,
  clock: NaiveClock,
  unseenMs: number,
  truth: boolean | undefined,
): boolean {
  if (clear === undefined) return truth === false
  const isClear = truthOf(clear.condition, subject, clock)
  if (isClear === false) memory.clearMs = undefined
  else if (memory.clearMs !== undefined) memory.clearMs += isClear ? unseenMs : clock.gapMs
  else if (isClear) memory.clearMs = clock.nowMs
  return isClear === true && clock.nowMs - memory.clearMs! >= clear.forMs
}

function subjectsOf(
  rule: CheckedRule,
  processes: readonly SyntheticProcess[],
  before: ReadonlyMap<string, NaiveSubject>,
): NaiveSubject[] {
  const single = (process: SyntheticProcess): NaiveSubject => ({
    id: idOf(process),
    process,
    members: [],
    exits: 0,
  })
  if (rule.per === undefined) return processes.filter((process) => matches(rule, process)).map(single)
  const groups = new Map<string, NaiveSubject[]>()
  if (rule.per === 'all') groups.set('all:', [])
  for (const process of processes) {
    const key = groupOf(rule, process, processes)
    if (key === undefined) continue
    groups.set(key, [...(groups.get(key) ?? []), single(process)])
  }
  const alive = new Set(processes.map(idOf))
  return [...groups].map(([key, members]) => {
    const id = `group ${rule.name} ${key}`
    const exits = before.get(id)?.members.filter((member) => !alive.has(member.id)).length ?? 0
    return { id, process: undefined, members, exits }
  })
}

function groupOf(
  rule: CheckedRule,
  process: SyntheticProcess,
  processes: readonly SyntheticProcess[],
): string | undefined {
  if (rule.per === 'subtree') {
    let root: SyntheticProcess | undefined
    const seen = new Set<number>()
    for (let at: SyntheticProcess | undefined = process; at !== undefined && !seen.has(at.pid); ) {
      seen.add(at.pid)
      if (matches(rule, at)) root = at
      const ppid: number | undefined = at.missing?.includes('ppid') ? undefined : at.cells?.ppid
      at = processes.find(({ pid }) => pid === ppid)
    }
    return root && `subtree:${root.pid}:${root.startTicks}`
  }
  if (!matches(rule, process)) return undefined
  if (rule.per === 'all') return 'all:'
  return process.missing?.includes('uid') ? undefined : `user:${process.cells?.uid ?? 0}`
}

function idOf({ pid, slot, generation }: SyntheticProcess): string {
  return `${pid}/${slot}/${generation}`
}

function labelOf(id: string): string {
  return id.startsWith('group ') ? id.split(' ')[2]! : id.split('/')[0]!
}

function matches({ match, kernelThreads }: CheckedRule, process: SyntheticProcess): boolean {
  if (!kernelThreads && (process.flags! & 0x0020_0000) !== 0) return false
  return (
    match.kind === 'all' &&
    match.parts.every((part) => {
      switch (part.kind) {
        case 'pid':
          return part.pid === process.pid
        case 'name':
          return part.pattern === process.name
        case 'user': {
          const uid = process.missing?.includes('uid') ? undefined : (process.cells?.uid ?? 0)
          return uid === { root: 0, daemon: 1 }[part.user]
        }
        default:
          throw new Error(`the naive judge knows no ${part.kind}`)
      }
    })
  )
}
