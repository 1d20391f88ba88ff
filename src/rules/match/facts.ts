import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessFacts } from '../../inspect/process_facts.js'
import type { TextFact } from './ast.js'
import { type FactSpec, KEYED_GROUPS, type KeyedGroup } from './compile.js'
import { KeyTable } from './keys.js'
import type { Learned } from './learned.js'
import { textsOf } from './process_texts.js'
import { wordsFor } from './state.js'
import type { Texts, TextVerdicts } from './text_matcher.js'

/** What the rules need of a process besides its texts. */
export interface FactNeeds {
  readonly limits: boolean
}
/** Reads facts of the processes in some slots, in that order; undefined where it took too long. */
export type ReadFacts = (
  slots: Uint32Array,
  needs: FactNeeds,
) => Promise<readonly (ProcessFacts | undefined)[]>

/** Texts to try all patterns on, in a thread that holds up nobody. */
export interface FactTask {
  readonly type: 'facts'
  readonly texts: readonly Texts[]
  readonly limitMs: number
}
export interface FactPool {
  run(task: FactTask): Promise<TextVerdicts>
  close(): Promise<void>
}

/** Processes per read and per task: few enough that neither holds up the event loop. */
const CHUNK = 512
const RETRY_MS = 10_000
/** A task gives its thread back after so long; it goes on in the next. */
const TASK_MS = 250
/** Patterns that take longer for one chunk are worth a word. */
const SLOW_MS = 2000

/** Processes by slot and generation. */
interface Batch {
  readonly slots: Uint32Array
  readonly generations: Uint32Array
}

/**
 * Learns the facts that rules ask for: reads them of new processes beside the ticks, has the patterns tried in the pool, and keeps
 * what came out for the next tick. Works on batches: at its start a large host has tens of thousands of new processes, and the main
 * thread must not touch each of them for long.
 */
export class Facts {
  readonly #pool: FactPool
  readonly #spec: FactSpec
  readonly #read: ReadFacts
  readonly #onWarning: (error: unknown) => void
  readonly #asked: ReadonlySet<TextFact>
  readonly #tried: ReadonlySet<TextFact>
  readonly #needs: FactNeeds
  readonly #keys: Map<KeyedGroup, KeyTable>
  readonly #waiting: Batch[] = []
  /** Processes whose facts could not be read, and when to try again; earliest first. */
  readonly #failed: (Batch & { readonly retryMs: number })[] = []
  /** What no tick has taken over yet, oldest first. */
  #learned: Learned[] = []
  /** How many of them were handed to the tick under way. */
  #handed = 0
  #isLearning = false
  /** Batches that are done, of all that were queued. */
  #done = 0
  /** Who waits until so many are done; fewest first. */
  readonly #waiters: { readonly done: number; readonly resolve: () => void }[] = []
  /** Leaves that were warned of. */
  readonly #slow = new Set<number>()
  #closed = false

  /** @param before whose place it takes: a text keeps its number */
  constructor(
    pool: FactPool,
    spec: FactSpec,
    read: ReadFacts,
    onWarning: (error: unknown) => void,
    before?: Facts,
  ) {
    this.#pool = pool
    this.#spec = spec
    this.#read = read
    this.#onWarning = onWarning
    const groups = KEYED_GROUPS.filter((of) =>
      spec.numbers.some((fact) => fact.kind === 'groupKey' && fact.of === of),
    )
    this.#keys = before === undefined ? new Map() : before.#keys
    for (const of of groups) if (!this.#keys.has(of)) this.#keys.set(of, new KeyTable())
    this.#tried = new Set(spec.texts.map(({ fact }) => fact))
    this.#asked = new Set([...this.#tried, ...groups])
    this.#needs = { limits: spec.numbers.some(({ kind }) => kind === 'limit') }
  }

  /** Resolves when all that was wanted so far has been learned; what is wanted meanwhile is not waited for. */
  get learnedSoFar(): Promise<void> {
    if (!this.#isLearning) return Promise.resolve()
    // The one under way, too.
    const done = this.#done + 1 + this.#waiting.length
    return new Promise((resolve) => this.#waiters.push({ done, resolve }))
  }

  /** The text behind a group key's number. */
  keyOf(group: KeyedGroup, id: number): string | undefined {
    return this.#keys.get(group)?.keyOf(id)
  }

  /** The text of a process's group, null where it has none or it cannot be read; undefined: not learned yet. */
  groupOf(group: KeyedGroup, slot: number, generation: number): string | null | undefined {
    return this.#keys.get(group)?.textOf(slot, generation)
  }

  /** Asks for the facts of these slots, in the background; lists of several shards may overlap. */
  want(lists: readonly Uint32Array[], generationOf: Uint32Array, nowMs: number): void {
    const wanted = withoutDoubles(lists, generationOf.length)
    this.#queue({ slots: wanted, generations: wanted.map((slot) => generationOf[slot]!) })
    while (this.#failed.length > 0 && this.#failed[0]!.retryMs <= nowMs) {
      const batch = this.#failed.shift()!
      const { slots, generations } = batch
      this.#queue(pick(batch, (place) => generationOf[slots[place]!] === generations[place]))
    }
    if (!this.#isLearning) void this.#learn(nowMs)
  }

  /** Asks for facts, and waits until they have been learned, no longer than the limit. */
  async learnWithin(
    limitMs: number,
    slots: Uint32Array,
    generationOf: Uint32Array,
    nowMs: number,
  ): Promise<void> {
    this.want([slots], generationOf, nowMs)
    const over = new AbortController()
    const limit = sleep(limitMs, undefined, { signal: over.signal }).catch(() => {})
    await Promise.race([this.learnedSoFar, limit])
    over.abort()
  }

  /** What was learned so far, for a tick; it is given again until `forget`, because a tick can fail. */
  learned(): Learned | undefined {
    this.#handed = this.#learned.length
    if (this.#handed === 0) return undefined
    const size = this.#learned.reduce((sum, { slots }) => sum + slots.length, 0)
    const all = makeLearned(this.#spec, size)
    let place = 0
    for (const { slots, generations, yes, known, numbers } of this.#learned) {
      all.slots.set(slots, place)
      all.generations.set(generations, place)
      const words = wordsFor(this.#spec.texts.length)
      all.yes.set(yes, place * words)
      all.known.set(known, place * words)
      all.numbers.set(numbers, place * this.#spec.numbers.length)
      place += slots.length
    }
    return all
  }

  /** The tick has taken over what it was given. */
  forget(): void {
    this.#learned = this.#learned.slice(this.#handed)
    this.#handed = 0
  }

  /** Ends the threads of its pool too. */
  close(): Promise<void> {
    this.#closed = true
    this.#waiting.length = 0
    return this.#pool.close()
  }

  #queue({ slots, generations }: Batch): void {
    for (let at = 0; at < slots.length; at += CHUNK) {
      this.#waiting.push({
        slots: slots.subarray(at, at + CHUNK),
        generations: generations.subarray(at, at + CHUNK),
      })
    }
  }

  async #learn(nowMs: number): Promise<void> {
    this.#isLearning = true
    for (let batch = this.#waiting.shift(); batch !== undefined; batch = this.#waiting.shift()) {
      try {
        await this.#learnBatch(batch, nowMs)
      } catch (error) {
        if (this.#closed) break
        this.#failed.push({ ...batch, retryMs: nowMs + RETRY_MS })
        this.#onWarning(error)
      }
      this.#done++
      while (this.#waiters.length > 0 && this.#waiters[0]!.done <= this.#done)
        this.#waiters.shift()!.resolve()
    }
    this.#isLearning = false
    for (const { resolve } of this.#waiters.splice(0)) resolve()
  }

  async #learnBatch(batch: Batch, nowMs: number): Promise<void> {
    const facts = await this.#read(batch.slots, this.#needs)
    const unread = pick(batch, (place) => facts[place] === undefined)
    if (unread.slots.length > 0) this.#failed.push({ ...unread, retryMs: nowMs + RETRY_MS })
    const read = pick(batch, (place) => facts[place] !== undefined)
    if (read.slots.length === 0) return
    const found = facts.filter((each) => each !== undefined)
    const texts = found.map((each) => textsOf(each, this.#asked))
    const learned = makeLearned(this.#spec, found.length)
    learned.slots.set(read.slots)
    learned.generations.set(read.generations)
    if (this.#spec.texts.length > 0) await this.#tryPatterns(texts, learned)
    let at = 0
    for (const [place, slot] of read.slots.entries()) {
      for (const fact of this.#spec.numbers) {
        learned.numbers[at++] =
          fact.kind === 'limit'
            ? (found[place]!.limits?.[fact.resource] ?? Number.NaN)
            : this.#keys
                .get(fact.of)!
                .assign(slot, read.generations[place]!, texts[place]![fact.of] ?? undefined, nowMs)
      }
    }
    this.#learned.push(learned)
  }

  async #tryPatterns(all: readonly Texts[], learned: Learned): Promise<void> {
    const words = wordsFor(this.#spec.texts.length)
    const texts = all.map((each) => only(each, this.#tried))
    // Not by the clock: on a busy host a task mostly waits for its thread, which no pattern is to blame for.
    let allSpentMs = 0
    for (let at = 0; at < texts.length; ) {
      const task: FactTask = { type: 'facts', texts: texts.slice(at), limitMs: TASK_MS }
      const { yes, known, done, spentMs, slowest } = await this.#pool.run(task)
      learned.yes.set(yes.subarray(0, done * words), at * words)
      learned.known.set(known.subarray(0, done * words), at * words)
      at += done
      allSpentMs += spentMs
      if (allSpentMs > SLOW_MS) this.#warnSlow(slowest, allSpentMs)
    }
  }

  #warnSlow({ leaf, ms }: TextVerdicts['slowest'], tookMs: number): void {
    if (this.#slow.has(leaf)) return
    this.#slow.add(leaf)
    const { fact, pattern, rule } = this.#spec.texts[leaf]!
    this.#onWarning(
      new Error(
        `matching texts of ${CHUNK} processes or fewer has taken ${Math.round(tookMs)} ms so far; the slowest pattern, with ` +
          `${Math.round(ms)} ms of the last step, is ${fact} ${JSON.stringify(pattern)} of rule ${JSON.stringify(rule)}`,
      ),
    )
  }
}

/** Shared, so that posting it to each thread copies nothing. */
function makeLearned({ texts, numbers }: FactSpec, size: number): Learned {
  const words = wordsFor(texts.length)
  const buffer = new SharedArrayBuffer(size * (numbers.length * 8 + 8 + words * 8))
  const after = size * numbers.length * 8
  return {
    numbers: new Float64Array(buffer, 0, size * numbers.length),
    slots: new Uint32Array(buffer, after, size),
    generations: new Uint32Array(buffer, after + size * 4, size),
    yes: new Int32Array(buffer, after + size * 8, size * words),
    known: new Int32Array(buffer, after + size * (8 + words * 4), size * words),
  }
}

function only(texts: Texts, facts: ReadonlySet<TextFact>): Texts {
  return Object.fromEntries(Object.entries(texts).filter(([fact]) => facts.has(fact as TextFact)))
}

function withoutDoubles(lists: readonly Uint32Array[], capacity: number): Uint32Array {
  const first = lists[0] ?? new Uint32Array(0)
  if (lists.every((list) => list === first || list.length === 0)) return first
  const seen = new Uint8Array(capacity)
  const slots = new Uint32Array(lists.reduce((sum, list) => sum + list.length, 0))
  let size = 0
  for (const list of lists) {
    for (const slot of list) {
      if (seen[slot] === 0) slots[size++] = slot
      seen[slot] = 1
    }
  }
  return slots.subarray(0, size)
}

function pick({ slots, generations }: Batch, isPicked: (place: number) => boolean): Batch {
  return {
    slots: slots.filter((_, place) => isPicked(place)),
    generations: generations.filter((_, place) => isPicked(place)),
  }
}
