import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Engine } from '../../dist/engine/engine.js'
import type { EngineEvents, TickReport } from '../../dist/engine/events.js'
import type { EngineOptions } from '../../dist/engine/options.js'
import { readJournal } from '../../dist/journal/reader.js'
import type { JournalRecord } from '../../dist/journal/records.js'
import { fixtureProgram, stopAll, waitFor } from '../fixtures/processes.js'

/** Engines, directories and processes of one test; `clean` ends all of them. */
export class Bench {
  readonly directory: string
  readonly journal: string
  /** An argument for the processes of this test, so that their successors are found and ended too. */
  readonly token = `engine-test-${process.pid}-${performance.now()}`
  readonly #engines: Engine[] = []
  #services = 0

  private constructor(directory: string) {
    this.directory = directory
    this.journal = join(directory, 'muster.jsonl')
  }

  static async open(): Promise<Bench> {
    return new Bench(await mkdtemp(join(tmpdir(), 'procmuster-engine-')))
  }

  /** An engine that ticks fast and writes the bench's journal, unless told otherwise. */
  async start(options: Partial<EngineOptions> & Pick<EngineOptions, 'rules'>): Promise<Engine> {
    const engine = await Engine.start({ intervalMs: 50, journal: this.journal, graceMs: 2000, ...options })
    this.#engines.push(engine)
    const heard: Heard = { alert: [], action: [], outcome: [], error: [] }
    history.set(engine, heard)
    engine.on('alert', (alert) => heard.alert.push(alert))
    engine.on('action', (action) => heard.action.push(action))
    engine.on('outcome', (outcome) => heard.outcome.push(outcome))
    engine.on('error', (error) => heard.error.push(error))
    return engine
  }

  /**
   * A process that can be restarted: it writes to a file, since a pipe to the test would be gone with the first life.
   * @param args those of test/fixtures/hostile.c
   */
  async startService(args: readonly string[], program?: string): Promise<number> {
    return this.#start(program ?? (await fixtureProgram()), [...args, '--', this.token])
  }

  /** The same for a node script, which has to write `ready` once it is. */
  startScript(code: string): Promise<number> {
    return this.#start(process.execPath, ['-e', code, this.token])
  }

  async #start(program: string, args: readonly string[]): Promise<number> {
    const output = join(this.directory, `output-${++this.#services}`)
    const file = await open(output, 'w')
    try {
      const child = spawn(program, args, { stdio: ['ignore', file.fd, 'inherit'] })
      await waitFor(() => readFileSync(output, 'utf8').startsWith('ready'))
      return child.pid!
    } finally {
      await file.close()
    }
  }

  /** Living processes that have the token among their arguments, read apart from the code under test. */
  instances(): number[] {
    return readdirSync('/proc').flatMap((name) => {
      if (!/^\d+$/.test(name)) return []
      try {
        const args = readFileSync(`/proc/${name}/cmdline`, 'latin1').split('\0')
        const [state] = readFileSync(`/proc/${name}/stat`, 'latin1').split(') ').at(-1)!
        return args.includes(this.token) && !'ZX'.includes(state!) ? [Number(name)] : []
      } catch {
        return [] // it ended meanwhile
      }
    })
  }

  async records(): Promise<JournalRecord[]> {
    const records: JournalRecord[] = []
    for await (const record of readJournal(this.journal)) records.push(record)
    return records
  }

  async recordsOf<T extends JournalRecord['type']>(type: T): Promise<Extract<JournalRecord, { type: T }>[]> {
    return (await this.records()).filter(
      (record): record is Extract<JournalRecord, { type: T }> => record.type === type,
    )
  }

  async clean(): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.close()))
    await stopAll()
    for (const pid of this.instances()) process.kill(pid, 'SIGKILL')
    await rm(this.directory, { recursive: true })
  }
}

type Heard = { [K in 'alert' | 'action' | 'outcome' | 'error']: EngineEvents[K][0][] }
const history = new WeakMap<Engine, Heard>()

/** Resolves with the first event of that name since the engine was started for which `wanted` holds. */
export function heard<K extends keyof Heard>(
  engine: Engine,
  name: K,
  wanted: (argument: EngineEvents[K][0]) => boolean = () => true,
): Promise<EngineEvents[K][0]> {
  const events: EngineEvents[K][0][] = history.get(engine)![name]
  return waitFor(() => events.find(wanted), { timeoutMs: 20_000, what: `the event ${name}` })
}

/** Resolves with the next tick, from now on, for which `wanted` holds. */
export function nextTick(
  engine: Engine,
  wanted: (tick: TickReport) => boolean = () => true,
): Promise<TickReport> {
  const ticks: TickReport[] = []
  const listener = (tick: TickReport) => {
    if (wanted(tick)) ticks.push(tick)
  }
  engine.on('tick', listener)
  return waitFor(() => ticks[0], { timeoutMs: 20_000, what: 'a tick' }).finally(() =>
    engine.off('tick', listener),
  )
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

export const MIB = 2 ** 20
