import type { Engine, RulesChange } from '../../index.js'
import { EXIT } from '../exit_codes.js'
import { type Fault, FaultsError, faultsOf } from '../fault.js'
import { escapeForTerminal } from '../terminal.js'
import { fileLabel } from '../yaml_file.js'
import { readConfig, type WatchConfig } from './config.js'
import type { WatchPlan } from './plan.js'
import { planRules } from './plan_rules.js'
import type { Reporter } from './report.js'

type Rules = ReturnType<typeof planRules>

interface ReloadParts {
  readonly plan: WatchPlan
  readonly file: string
  readonly config: WatchConfig
  readonly engine: Pick<Engine, 'setRules'>
  readonly reporter: Reporter
  readonly onRules: (rules: Rules) => void
}

/** Settings of a file that a running watch goes on without, by the file's names of them. */
const AT_START = {
  intervalMs: 'interval',
  directory: 'directory',
  journal: 'journal',
  graceMs: 'grace',
  source: 'source',
  dryRun: 'dryRun',
  environ: 'environ',
  notifiers: 'notify',
  outcomeWindowMs: 'outcome',
  governor: 'governor',
} as const satisfies Partial<Record<keyof WatchConfig, string>>

/** Takes the rules of a configuration file again; those of a faulty one are left, and what is wrong with it told once. */
export class Reload implements Disposable {
  readonly #parts: ReloadParts
  /** Of the file that the watch began with, and what was said last of others that differ. */
  readonly #first: WatchConfig
  #toldSettings = ''
  #toldFaults = ''
  #running: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(parts: ReloadParts) {
    this.#parts = parts
    this.#first = parts.config
  }

  /** One after the other. @param isAsked somebody waits for an answer, also where nothing has changed */
  run(isAsked: boolean): Promise<void> {
    this.#running = this.#running.then(() => this.#reload(isAsked))
    return this.#running
  }

  /** Nothing is told any more. */
  [Symbol.dispose](): void {
    this.#stopped = true
  }

  async #reload(isAsked: boolean): Promise<void> {
    const { engine, file, onRules } = this.#parts
    if (this.#stopped) return
    try {
      const config = await readConfig(file)
      const rules = this.#rulesOf(config)
      const change = await engine.setRules(rules).catch((error: unknown) => this.#refusedByEngine(error))
      if (isOther(change)) onRules(rules)
      this.#tellChange(change, isAsked || this.#toldFaults !== '')
      this.#toldFaults = ''
      this.#tellSettings(config)
    } catch (error) {
      if (!this.#stopped) this.#tellFaults(faultsOf(error), isAsked)
    }
  }

  #rulesOf(config: WatchConfig): Rules {
    const { flags, target, directory } = this.#parts.plan
    return planRules(flags, config, target?.identity, directory)
  }

  #refusedByEngine(error: unknown): never {
    const label = fileLabel('--config', this.#parts.file)
    const [{ message }] = faultsOf(error)
    throw new FaultsError([{ exitCode: EXIT.config, message: `${label}: ${message}` }])
  }

  #tellChange(change: RulesChange, isAsked: boolean): void {
    const { added, changed, removed } = change
    if (!isOther(change) && !isAsked) return
    const parts = [said(added, 'added'), said(changed, 'changed'), said(removed, 'removed')]
    const what = parts.filter((part) => part !== undefined).join('; ') || 'as before'
    this.#parts.reporter.note(`rules read again: ${what}`, { type: 'rules', ...change })
  }

  #tellSettings(config: WatchConfig): void {
    const differs = (key: keyof typeof AT_START) =>
      JSON.stringify(config[key]) !== JSON.stringify(this.#first[key])
    const keys = (Object.keys(AT_START) as (keyof typeof AT_START)[]).filter(differs)
    const names = keys.map((key) => AT_START[key]).join(', ')
    if (names !== '' && names !== this.#toldSettings) {
      const text = `${names}: what the file says of it now takes effect when the watch is started again`
      this.#parts.reporter.note(text, { type: 'settings-later', settings: keys.map((key) => AT_START[key]) })
    }
    this.#toldSettings = names
  }

  #tellFaults(faults: readonly Fault[], isAsked: boolean): void {
    const messages = faults.map(({ message }) => message)
    const text = messages.join('\n')
    if (text === this.#toldFaults && !isAsked) return
    this.#toldFaults = text
    const { reporter } = this.#parts
    for (const message of messages) process.stderr.write(`muster: ${message}\n`)
    reporter.note('rules not read again, those of before stay: the configuration file has faults', {
      type: 'rules-refused',
      faults: messages,
    })
  }
}

const isOther = ({ added, changed, removed }: RulesChange): boolean =>
  added.length + changed.length + removed.length > 0

const SHOWN = 5

function said(names: readonly string[], what: string): string | undefined {
  if (names.length === 0) return undefined
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : ''
  return `${what} ${names.slice(0, SHOWN).map(escapeForTerminal).join(', ')}${more}`
}
