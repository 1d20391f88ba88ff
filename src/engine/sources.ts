import { totalmem } from 'node:os'
import { type ProcessFacts, readProcessFacts } from '../inspect/process_facts.js'
import { exactNear, needsExactForAll } from '../rules/exact_near.js'
import type { FactNeeds } from '../rules/match/facts.js'
import { groupsOf, hostMetricsOf } from '../rules/program.js'
import type { CheckedRule } from '../rules/schema/rule.js'
import { Sampler } from '../sampler/sampler.js'
import { HostMetrics } from '../system/host_metrics.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { OptionalGroup } from '../table/layout.js'
import type { Table } from '../table/table.js'
import type { EngineStats } from './events.js'
import { Lifecycle, type LifecycleListeners } from './lifecycle.js'
import { look } from './look.js'
import type { Settings } from './options.js'

/** Where an engine learns of the host: samples, and what is heard between them. */
export class Sources {
  readonly lifecycle = new Lifecycle()
  readonly #settings: Pick<Settings, 'sampler' | 'events'>
  readonly #host: HostMetrics
  #rules: readonly CheckedRule[]
  #groups: readonly OptionalGroup[]
  #readsHost: boolean
  #sampler: Sampler | undefined
  #table: Table | undefined
  /** Physical memory that the thresholds near which cells are exact were computed with. */
  #exactForBytes = 0

  constructor({ rules, sampler, events }: Pick<Settings, 'rules' | 'sampler' | 'events'>) {
    const metrics = hostMetricsOf(rules)
    const { procRoot } = sampler
    this.#settings = { sampler, events }
    this.#rules = rules
    this.#host = new HostMetrics({ metrics, ...(procRoot === undefined ? {} : { procRoot }) })
    this.#readsHost = metrics.length > 0
    this.#groups = this.#groupsFor(rules)
  }

  async open(listeners: LifecycleListeners): Promise<void> {
    this.#sampler = await Sampler.open({ ...this.#settings.sampler, groups: this.#groups })
    this.keepExact(totalmem())
    await this.lifecycle.open(this.#settings.events, listeners)
  }

  /**
   * From the next sample on, what these rules read is sampled.
   * @throws ProcmusterError `UNSUPPORTED` for a group of columns that cannot be had any more; all stays as it was then
   */
  async use(rules: readonly CheckedRule[]): Promise<void> {
    const groups = this.#groupsFor(rules)
    await this.sampler.setGroups(groups)
    const metrics = hostMetricsOf(rules)
    this.#rules = rules
    this.#groups = groups
    this.#readsHost = metrics.length > 0
    this.#host.setMetrics(metrics)
    this.#exactForBytes = 0
    this.keepExact(this.sampler.memTotalBytes || totalmem())
  }

  /** Optional groups of columns that are sampled. */
  get groups(): readonly OptionalGroup[] {
    return this.#groups
  }

  get sampler(): Sampler {
    return this.#sampler!
  }

  get samplerStats(): EngineStats['sampler'] {
    return { source: this.#sampler?.source ?? '', reason: this.#sampler?.sourceReason ?? '' }
  }

  async sample(): Promise<Table> {
    this.#table = await this.sampler.sample()
    return this.#table
  }

  /** The last sample. */
  get table(): Table | undefined {
    return this.#table
  }

  /** In the last sample. */
  rssBytesOf(identity: ProcessIdentity): number | undefined {
    return this.#table && look(this.#table, identity)?.rssBytes
  }

  /** Of the processes that the last sample has in these slots. */
  readFacts(slots: Uint32Array, { limits }: FactNeeds): Promise<(ProcessFacts | undefined)[]> {
    const { pid, startTicks } = this.#table!.memory.columns
    const targets = Array.from(slots, (slot) => ({ pid: pid[slot]!, startTicks: startTicks[slot]! }))
    return readProcessFacts(targets, { procRoot: this.#settings.sampler.procRoot ?? '/proc', limits })
  }

  /** A cell by which a rule could turn has to be exact; what percentages mean in bytes follows from the host's memory. */
  keepExact(memTotalBytes = this.sampler.memTotalBytes): void {
    if (memTotalBytes === this.#exactForBytes) return
    this.#exactForBytes = memTotalBytes
    this.sampler.setExactNear(exactNear(this.#rules, memTotalBytes))
  }

  /** Numbers of the host that rules read, by index in `HOST_METRICS`; undefined when they read none. */
  readHost(processes: number): Promise<Float64Array> | undefined {
    return this.#readsHost ? this.#host.read(processes) : undefined
  }

  async close(): Promise<void> {
    await this.#sampler?.close()
  }

  #groupsFor(rules: readonly CheckedRule[]): OptionalGroup[] {
    const exact: OptionalGroup[] = needsExactForAll(rules) ? ['exactRss'] : []
    return [...new Set([...(this.#settings.sampler.groups ?? []), ...groupsOf(rules), ...exact])]
  }
}
