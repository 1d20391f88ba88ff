import { Piscina } from 'piscina'
import { ProcmusterError } from '../errors.js'
import { PACKAGE_FILES } from '../package_files.js'
import type { TextLeaf } from './match/compile.js'
import type { FactTask } from './match/facts.js'
import type { TextVerdicts } from './match/text_matcher.js'
import type { JudgeResult, JudgeTask } from './worker.js'

interface JudgePoolOptions {
  /** For a pool that learns facts: what it tries. */
  readonly texts?: readonly TextLeaf[]
  readonly threads: number
  /** A task that takes longer is ended with its thread; 0 waits for ever. */
  readonly timeLimitMs: number
}

const ATTEMPTS = 3

/** The threads that judge. A thread that dies is replaced, and its task is done again. */
export class JudgePool {
  readonly #options: JudgePoolOptions
  #pool: Piscina
  #closing: Promise<void> | undefined
  /** Pools that were given up, with why. */
  readonly #retired = new Map<Piscina, { readonly why: unknown; readonly destroyed: Promise<void> }>()
  /** Used again from task to task: making one costs more than posting the task. */
  readonly #idleAborts: AbortController[] = []
  /** Threads that died under a task or at rest. */
  crashes = 0

  constructor(options: JudgePoolOptions) {
    this.#options = options
    this.#pool = this.#open()
  }

  get threads(): Piscina['threads'] {
    return this.#pool.threads
  }

  run(task: JudgeTask): Promise<JudgeResult>
  run(task: FactTask): Promise<TextVerdicts>
  async run(task: JudgeTask | FactTask): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      this.#checkOpen() // for a task that comes too late Piscina would start new threads
      if (this.#retired.has(this.#pool)) this.#pool = this.#open()
      const pool = this.#pool
      try {
        return await this.#runOnce(pool, task)
      } catch (failure) {
        this.#checkOpen()
        if (failure instanceof ProcmusterError) throw failure
        const cause = this.#retired.get(pool)?.why ?? failure
        this.crashes++
        if (attempt === ATTEMPTS) {
          const message = isReplaced(cause)
            ? `the files of procmuster were replaced while it runs, and no new thread fits it any more; start it again (${String(cause)})`
            : `judging failed ${ATTEMPTS} times in a row: ${String(cause)}`
          throw new ProcmusterError('IO_ERROR', { message, cause })
        }
        if (attempt > 1) this.#retire(pool, cause)
      }
    }
  }

  /** Idempotent. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#retire(this.#pool, undefined)
      const all = Array.from(this.#retired.values(), ({ destroyed }) => destroyed)
      this.#closing = Promise.allSettled(all).then(() => {})
    }
    return this.#closing
  }

  #retire(pool: Piscina, why: unknown): void {
    // Piscina would start new threads if it were destroyed a second time while the first is under way.
    if (this.#retired.has(pool)) return
    const destroyed = pool.destroy()
    this.#retired.set(pool, { why, destroyed })
    const forget = () => {
      if (this.#closing === undefined && pool !== this.#pool) this.#retired.delete(pool)
    }
    destroyed.then(forget, forget)
  }

  #checkOpen(): void {
    if (this.#closing === undefined) return
    throw new ProcmusterError('CLOSED', { message: 'the rule engine has been closed' })
  }

  #open(): Piscina {
    const { texts, threads } = this.#options
    const pool = new Piscina({
      filename: PACKAGE_FILES.ruleWorker.href,
      name: 'work',
      // Equal, or idle threads come and go.
      minThreads: threads,
      maxThreads: threads,
      idleTimeout: Number.POSITIVE_INFINITY,
      // An idle thread blocks in Atomics.wait: no timers run there, and none are needed.
      atomics: 'sync',
      recordTiming: false,
      trackUnmanagedFds: false,
      workerData: texts,
      // Piscina tries require() first, and a thread that is ended while Node 20 loads a module that way takes the whole process with
      // it (v8::Module::IsGraphAsync must be used on an instantiated module); import(), which it tries then, does not abort.
      execArgv: ['--no-experimental-require-module'],
      // The judging needs a few megabytes, a change of 10,000 rules more than 64; without limits an idle heap grows far beyond.
      resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 4 },
    })
    // A thread that dies at rest is replaced by Piscina; unheard, the event would end the whole process.
    pool.on('error', (error: unknown) => {
      this.crashes++
      // Piscina gives up on a pool whose threads die while they start: its tasks would wait for ever.
      if (pool.threads.length === 0) this.#retire(pool, error)
    })
    return pool
  }

  async #runOnce(pool: Piscina, task: JudgeTask | FactTask): Promise<unknown> {
    const { timeLimitMs } = this.#options
    if (timeLimitMs === 0) return await pool.run(task)
    const abort = this.#idleAborts.pop() ?? new AbortController()
    const timer = setTimeout(() => abort.abort(), timeLimitMs)
    try {
      return await pool.run(task, { signal: abort.signal })
    } catch (cause) {
      if (!abort.signal.aborted) throw cause
      const what = task.type === 'judge' ? 'judging a tick' : 'matching texts of processes'
      const message = `${what} took more than ${timeLimitMs} ms`
      throw new ProcmusterError('TIMEOUT', { message, cause })
    } finally {
      clearTimeout(timer)
      if (!abort.signal.aborted) this.#idleAborts.push(abort)
    }
  }
}

/** A thread loads its files when it starts: those of another version, after an update. */
function isReplaced(cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return code === 'ERR_MODULE_NOT_FOUND' || /does not provide an export named/.test(String(cause))
}
