import { totalmem } from 'node:os'
import { exactNear, needsExactForAll } from '../rules/exact_near.js'
import { groupsOf, hostMetricsOf } from '../rules/program.js'
import { Sampler } from '../sampler/sampler.js'
import { HostMetrics } from '../system/host_metrics.js'
import type { OptionalGroup } from '../table/layout.js'
import type { EngineStats } from './events.js'
import { Lifecycle, type LifecycleListeners } from './lifecycle.js'
import type { Settings } from './options.js'

/** Where an engine learns of the host: samples, and what is heard between them. */
export class Sources {
  readonly lifecycle = new Lifecycle()
  readonly groups: readonly OptionalGroup[]
  readonly #settings: Pick<Settings, 'rules' | 'sampler' | 'events'>
  readonly #host: HostMetrics | undefined
  #sampler: Sampler | undefined
  /** Physical memory that the thresholds near which cells are exact were computed with. */
  #exactForBytes = 0

  constructor(settings: Pick<Settings, 'rules' | 'sampler' | 'events'>) {
    const { rules, sampler } = settings
    const exact: OptionalGroup[] = needsExactForAll(rules) ? ['exactRss'] : []
    this.#settings = settings
    const metrics = hostMetricsOf(rules)
    const { procRoot } = sampler
    if (metrics.length > 0)
      this.#host = new HostMetrics({ metrics, ...(procRoot === undefined ? {} : { procRoot }) })
    this.groups = [...new Set([...(sampler.groups ?? []), ...groupsOf(rules), ...exact])]
  }

  async open(listeners: LifecycleListeners): Promise<void> {
    this.#sampler = await Sampler.open({ ...this.#settings.sampler, groups: this.groups })
    this.keepExact(totalmem())
    await this.lifecycle.open(this.#settings.events, listeners)
  }

  get sampler(): Sampler {
    return this.#sampler!
  }

  get samplerStats(): EngineStats['sampler'] {
    return { source: this.#sampler?.source ?? '', reason: this.#sampler?.sourceReason ?? '' }
  }

  /** A cell by which a rule could turn has to be exact; what percentages mean in bytes follows from the host's memory. */
  keepExact(memTotalBytes: number): void {
    if (memTotalBytes === this.#exactForBytes) return
    this.#exactForBytes = memTotalBytes
    this.sampler.setExactNear(exactNear(this.#settings.rules, memTotalBytes))
  }

  /** Numbers of the host that rules read, by index in `HOST_METRICS`; undefined when they read none. */
  readHost(processes: number): Promise<Float64Array> | undefined {
    return this.#host?.read(processes)
  }

  async close(): Promise<void> {
    await this.#sampler?.close()
  }
}
