import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { RuleEngine, Sampler } from '../../../dist/index.js'
import { readProcessFacts } from '../../../dist/inspect/process_facts.js'
import type { Match } from '../../../dist/rules/match/ast.js'
import { type FactPool, Facts } from '../../../dist/rules/match/facts.js'
import { TextMatcher } from '../../../dist/rules/match/text_matcher.js'
import { fixtureProgram, startProcess, stopAll, type TestProcess, waitFor } from '../../fixtures/processes.js'
import { brief } from '../local_judge.js'
import {
  all,
  any,
  LocalMatcher,
  name,
  not,
  pid,
  processGroup,
  session,
  state,
  subtree,
  text,
  user,
} from './local_matcher.js'

const UNIFIED = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup']

afterEach(stopAll)

/** Matches real processes: the sampler's tables, facts read from /proc. */
class LiveMatcher implements AsyncDisposable {
  readonly #matcher: LocalMatcher
  readonly #sampler: Sampler
  readonly #facts: Facts
  #nowMs = 0
  #found = new Map<number, number[]>()

  private constructor(matches: readonly Match[], sampler: Sampler) {
    this.#matcher = new LocalMatcher(matches)
    this.#sampler = sampler
    const spec = this.#matcher.compiled.facts
    const texts = new TextMatcher(spec.texts)
    const pool: FactPool = {
      run: async (task) => texts.match(task.texts, task.limitMs),
      close: async () => {},
    }
    this.#facts = new Facts(
      pool,
      spec,
      (slots, { limits }) =>
        readProcessFacts(
          [...slots].map((slot) => this.#table!.at(slot)),
          { limits },
        ),
      (error) => {
        throw error
      },
    )
  }

  #table: Awaited<ReturnType<Sampler['sample']>> | undefined

  static async open(matches: readonly Match[]): Promise<LiveMatcher> {
    return new LiveMatcher(matches, await Sampler.open({ source: 'procfs' }))
  }

  /** The rules that match a process once all is known. */
  async rulesOf(process: TestProcess): Promise<number[]> {
    for (let round = 0; round < 2; round++) {
      this.#table = await this.#sampler.sample()
      this.#found = this.#matcher.tick(this.#table.memory, { learned: this.#facts.learned() })
      this.#facts.forget()
      this.#facts.want(
        [Uint32Array.from(this.#matcher.wanted)],
        this.#table.memory.columns.generation,
        this.#nowMs,
      )
      this.#nowMs += 20_000
      await this.#facts.learnedSoFar
    }
    return this.#found.get(process.pid) ?? []
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#facts.close()
    await this.#sampler.close()
  }
}

describe('real processes are matched', () => {
  it('by program, command line, owner, session, group, state, tree and their contraries', async () => {
    const program = await fixtureProgram()
    const own = await startProcess('idle', { name: 'mine', detached: true, extraArguments: ['--shard', '7'] })
    const plain = await startProcess('idle', { name: 'mine' })
    const stopped = await startProcess('stopped')
    const exe = text('exe', program)
    const matches = [
      all(name('mine'), exe),
      all(exe, text('commandLine', '--shard \\d+$')),
      all(exe, not(text('commandLine', '--shard'))),
      session(own.pid),
      all(processGroup(own.pid), user(0)),
      all(exe, state('T')),
      all(exe, subtree(process.pid)),
      all(name('mine'), not(subtree(process.pid))),
      any(pid(plain.pid), text('program', '*no-such-program*')),
      all(
        text('program', program.slice(program.lastIndexOf('/') + 1)),
        not(any(state('T'), session(own.pid))),
      ),
    ]
    await using matcher = await LiveMatcher.open(matches)
    const uid = process.getuid!()
    expect(await matcher.rulesOf(own)).toEqual([0, 1, 3, ...(uid === 0 ? [4] : []), 6])
    expect(await matcher.rulesOf(plain)).toEqual([0, 2, 6, 8, 9])
    expect(await matcher.rulesOf(stopped)).toEqual([2, 5, 6])
  })

  it('by control group, unit and container, also after they have moved', async (context) => {
    const place = await makeCgroup('muster-test.slice/muster-test@1.service')
    if (place === undefined) {
      console.warn('skipped: matching by control group needs a writable cgroup v2 hierarchy')
      return context.skip()
    }
    try {
      const moved = await startProcess('idle')
      const here = (await readFile(`/proc/${moved.pid}/cgroup`, 'utf8')).trim()
      await writeFile(join(place, 'cgroup.procs'), String(moved.pid))
      const matches = [
        text('cgroup', '*/muster-test.slice/*'),
        text('unit', 'muster-test@[0-9].service'),
        not(text('unit', '*')),
        not(text('container', '*')),
      ]
      await using matcher = await LiveMatcher.open(matches)
      const found = await matcher.rulesOf(moved)
      expect(found.slice(0, 2), `${here} -> ${place}`).toEqual([0, 1])
      expect(found).not.toContain(2)
      await moved.stop()
    } finally {
      await waitFor(async () => {
        await rmdir(place)
        return true
      })
      await rmdir(join(place, '..'))
    }
  })

  it('and what may not be read of them is neither a match nor its contrary', async (context) => {
    if (process.getuid!() === 0) return context.skip() // root may read everything
    const init = { pid: 1 } as TestProcess
    await using matcher = await LiveMatcher.open([text('exe', '*'), not(text('exe', '*')), pid(1)])
    expect(await matcher.rulesOf(init)).toEqual([2])
  })
})

it('a hostile command line holds up nothing', async () => {
  const hostile = await startProcess('idle', { extraArguments: [`${'a'.repeat(4000)}b`] })
  const plain = await startProcess('idle', { extraArguments: ['aaa'] })
  const sampler = await Sampler.open()
  let table = await sampler.sample()
  const warnings: unknown[] = []
  const engine = await RuleEngine.open({
    rules: [
      { name: 'pattern', match: { commandLine: '(a+)+$' }, when: 'vsz > 1' },
      { name: 'contrast', match: { commandLine: ' (aa*)*b$' }, when: 'vsz > 1' },
    ],
    readFacts: (slots, { limits }) =>
      readProcessFacts(
        [...slots].map((slot) => table.at(slot)),
        { limits },
      ),
    onWarning: (error) => warnings.push(error),
  })
  try {
    const told = new Set<string>()
    let slowestMs = 0
    await waitFor(
      async () => {
        table = await sampler.sample()
        const startedMs = performance.now()
        for (const decision of await engine.tick(table, startedMs)) told.add(brief(decision))
        slowestMs = Math.max(slowestMs, performance.now() - startedMs)
        await engine.factsLearned
        return told.has(`pattern fire ${plain.pid}`) && told.has(`contrast fire ${hostile.pid}`)
      },
      { timeoutMs: 30_000, what: 'both to be matched' },
    )
    expect(told).not.toContain(`pattern fire ${hostile.pid}`)
    expect(slowestMs).toBeLessThan(5000)
    expect(warnings).toEqual([])
  } finally {
    await engine.close()
    await sampler.close()
  }
})

/** Makes a group in the unified hierarchy, with the one above it; undefined where that is not allowed. */
async function makeCgroup(path: string): Promise<string | undefined> {
  for (const root of UNIFIED) {
    const isUnified = await readFile(join(root, 'cgroup.controllers'), 'utf8').then(
      () => true,
      () => false,
    )
    if (!isUnified) continue
    try {
      await mkdir(join(root, path), { recursive: true })
      return join(root, path)
    } catch {
      return undefined
    }
  }
  return undefined
}
