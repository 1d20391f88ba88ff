import { columnId, isKernelThread, isMissing, type TableMemory } from '../../table/layout.js'
import { CandidateIndex, type Candidates } from './candidates.js'
import type { Changes } from './changes.js'
import type { Leaf, WatchedCell } from './compile.js'
import type { Gates, OpenRules } from './gates.js'
import { type Learned, learnedTruth } from './learned.js'
import type { MatchPlan } from './plan.js'
import { bitAt, type MatchState, wordsFor } from './state.js'
import { no, type Truth, truthOf, unknown, yes } from './truth.js'

/** What matching reads in one tick. */
interface MatchScene {
  readonly table: TableMemory
  readonly state: MatchState
  readonly changes: Changes
  readonly learned: Learned | undefined
}

/** Decides which rules of a shard are about a process. Keeps nothing that could not be made again from its plan. */
export class Matcher {
  readonly plan: MatchPlan
  /** A rename can change what matches: also where texts are asked for, since an exec can go unseen between two samples. */
  readonly watchNames: boolean
  readonly #index: CandidateIndex
  /** By leaf, its row among the plan's texts or subtrees; -1 for the others. */
  readonly #rows: Int32Array
  /** By leaf, what was found for the process in question. */
  readonly #truths: Uint8Array
  readonly #askedAt: Float64Array
  #asking = 0
  readonly #subtreeWords: number
  #columns: Partial<Record<WatchedCell, ArrayLike<number>>> = {}
  #scene: MatchScene | undefined
  #names: Buffer = Buffer.alloc(0)
  #slot = 0
  #isNew = false
  #isWanted = false
  /** Whether any text of it is known. */
  #hasTexts = false

  constructor(plan: MatchPlan) {
    this.plan = plan
    this.watchNames =
      plan.leaves.some(({ kind }) => kind === 'name' || kind === 'text') || plan.numbers.length > 0
    this.#index = new CandidateIndex(plan)
    this.#rows = new Int32Array(plan.leaves.length).fill(-1)
    for (const [row, { leaf }] of plan.texts.entries()) this.#rows[leaf] = row
    for (const [row, leaf] of plan.subtrees.entries()) this.#rows[leaf] = row
    this.#subtreeWords = wordsFor(plan.subtrees.length)
    this.#truths = new Uint8Array(plan.leaves.length)
    this.#askedAt = new Float64Array(plan.leaves.length)
  }

  /** Has to be called before the processes of a tick are matched. */
  begin(scene: MatchScene): void {
    const { names } = scene.table
    this.#scene = scene
    const { uid, sid, pgid } = scene.table.columns
    this.#columns = { uid, sid, pgid }
    this.#names = Buffer.from(names.buffer as SharedArrayBuffer, names.byteOffset, names.byteLength)
  }

  /**
   * Enters the rules that match the slot's process into `changes.matched`.
   * @param isNew it has another process than at the last tick: what is known of that one says nothing
   * @returns whether the rules have to learn facts about it that were not asked for yet
   */
  match(slot: number, isNew: boolean): boolean {
    const { table } = this.#scene!
    this.#asking++
    this.#slot = slot
    this.#isNew = isNew
    this.#isWanted = false
    this.#hasTexts = !isNew || this.#scene!.changes.learned.has(slot)
    const isKernel = isKernelThread(table, slot)
    const named = this.#index.named(this.#names, slot, isKernel)
    this.#enter(named, NONE)
    this.#enter(this.#index.others(isKernel), named.except)
    return this.#isWanted
  }

  #enter({ sure, open }: Candidates, except: ReadonlySet<number>): void {
    for (const rule of sure) {
      if (!this.#isBoundTo(rule) || except.has(rule)) continue
      this.#hit(rule)
      if (this.plan.rules[rule]!.numbers.length > 0) this.#isWanted = true
    }
    for (const each of open.free) this.#try(each, except)
    for (const [cell, byValue] of open.cells) {
      const { table } = this.#scene!
      if (isMissing(table, this.#slot, columnId[cell])) continue
      const fitting = byValue.get(this.#columns[cell]![this.#slot]!)
      if (fitting !== undefined) for (const each of fitting) this.#try(each, except)
    }
    if (open.subtrees.size > 0) this.#enterSubtrees(open.subtrees, except)
    for (const each of open.texts) {
      if (this.#isWanted && !this.#hasTexts) break
      this.#try(each, except)
    }
  }

  #enterSubtrees(byRow: Gates['subtrees'], except: ReadonlySet<number>): void {
    const { subtreeYes } = this.#scene!.changes
    for (let word = 0; word < this.#subtreeWords; word++) {
      for (let bits = subtreeYes[this.#slot * this.#subtreeWords + word]!; bits !== 0; bits &= bits - 1) {
        const fitting = byRow.get((word << 5) + 31 - Math.clz32(bits & -bits))
        if (fitting !== undefined) for (const each of fitting) this.#try(each, except)
      }
    }
  }

  #try({ tree, rules, asksTexts, asksNumbers }: OpenRules, except: ReadonlySet<number>): void {
    const truth = truthOf(tree, this.#leafTruth)
    if (truth !== yes && (this.#isWanted || !(asksTexts || asksNumbers))) return
    if (truth === no && !(asksTexts && truthOf(tree, this.#leafTruthWithoutTexts) !== no)) return
    for (const rule of rules) {
      if (except.has(rule) || !this.#isBoundTo(rule)) continue
      if (truth === yes) this.#hit(rule)
      if (asksTexts || (asksNumbers && this.plan.rules[rule]!.numbers.length > 0)) this.#isWanted = true
      if (truth !== yes && this.#isWanted) break
    }
  }

  #hit(rule: number): void {
    const { changes } = this.#scene!
    changes.matched[rule * changes.words + (this.#slot >>> 5)]! |= 1 << (this.#slot & 31)
  }

  #isBoundTo(rule: number): boolean {
    const { bound } = this.plan
    const pid = bound[rule * 2]!
    return Number.isNaN(pid) || isProcess(this.#scene!.table, this.#slot, pid, bound[rule * 2 + 1]!)
  }

  readonly #leafTruth = (leaf: number): Truth => {
    if (this.#askedAt[leaf] === this.#asking) return this.#truths[leaf] as Truth
    const truth = this.#ask(leaf, this.plan.leaves[leaf]!)
    this.#askedAt[leaf] = this.#asking
    this.#truths[leaf] = truth
    return truth
  }

  readonly #leafTruthWithoutTexts = (leaf: number): Truth =>
    this.plan.leaves[leaf]!.kind === 'text' ? unknown : this.#leafTruth(leaf)

  #ask(id: number, leaf: Leaf): Truth {
    const { table, state, changes, learned } = this.#scene!
    const slot = this.#slot
    switch (leaf.kind) {
      case 'pid':
        return isProcess(table, slot, leaf.pid, leaf.startTicks ?? Number.NaN) ? yes : no
      case 'cell':
        if (isMissing(table, slot, columnId[leaf.cell])) return unknown
        return this.#columns[leaf.cell]![slot] === leaf.value ? yes : no
      case 'state':
        if (isMissing(table, slot, columnId.state)) return unknown
        return leaf.states.includes(String.fromCharCode(table.columns.state[slot]!)) ? yes : no
      case 'text': {
        const row = this.#rows[id]!
        const place = changes.learned.get(slot)
        if (place !== undefined) return learnedTruth(learned!, place, this.plan, row)
        // Until the text of its new program has been read, what is known of the old one holds.
        if (this.#isNew || bitAt(state.known, row * state.words, slot) === 0) return unknown
        return bitAt(state.yes, row * state.words, slot)
      }
      case 'subtree': {
        const row = this.#rows[id]!
        const start = slot * this.#subtreeWords
        return bitAt(changes.subtreeKnown, start, row) === 0 ? unknown : bitAt(changes.subtreeYes, start, row)
      }
      default:
        return unknown // names and kernel threads: the index has settled them
    }
  }
}

const NONE: ReadonlySet<number> = new Set()

function isProcess({ columns }: TableMemory, slot: number, pid: number, startTicks: number): boolean {
  return columns.pid[slot] === pid && (Number.isNaN(startTicks) || columns.startTicks[slot] === startTicks)
}
