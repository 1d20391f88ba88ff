import type { Alert } from '../alerts/alert.js'
import { ALERT_CHECKS } from '../alerts/alert_book.js'
import {
  ABORT_SIGNAL,
  checkOptions,
  checkQuery,
  FLAG,
  LIMIT,
  oneOf,
  RECORD,
  range,
  refuse,
  TEXT,
} from '../arguments.js'
import { identify } from '../control/handle.js'
import { type MembersResult, signalGroup, signalTree } from '../control/members.js'
import { setPriority } from '../control/priority.js'
import type { ControlResult } from '../control/results.js'
import {
  getResourceLimits,
  type Resource,
  type ResourceLimit,
  type ResourceLimits,
  setResourceLimit,
} from '../control/rlimit.js'
import { sendSignal } from '../control/signal.js'
import type { SignalName } from '../control/signal_names.js'
import type { ThreadOptions } from '../control/threads.js'
import { ProcmusterError } from '../errors.js'
import { type InspectOptions, inspectProcess } from '../inspect/inspect_process.js'
import type { ProcessInfo } from '../inspect/process_info.js'
import { ResourceTrack, type TrackOptions } from '../inspect/resource_track.js'
import { Sampler } from '../sampler/sampler.js'
import { SystemMonitor, type SystemStats } from '../system/stats/monitor.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { ProcessRow } from '../table/process.js'
import type { Table } from '../table/table.js'
import { type ProcessTree, type ProcessTreeOptions, processTree } from '../tree/tree.js'
import { MONITOR_CHECKS, type MonitorAlertQuery, type MonitorOptions, Monitors } from './monitors.js'
import {
  checkTarget,
  MANAGER_CHECKS,
  type ProcessManagerOptions,
  type ProcessTarget,
  type SignalMembersOptions,
  type SignalProcessOptions,
  type TopOptions,
} from './options.js'
import {
  checkListOptions,
  type ListOptions,
  type ProcessSummary,
  selectRows,
  summaryOf,
} from './process_summary.js'
import { RecentSamples } from './recent_samples.js'

const { rule: _, ...OTHER_ALERT_CHECKS } = ALERT_CHECKS

/**
 * Processes of this host behind one object: list, look into, act on, watch. It holds a sampler, and from the first monitor on an
 * engine; what single parts of it do can also be had without it (`Sampler`, `inspectProcess`, `sendSignal`, `Engine`, ...).
 *
 * Every method rejects with a `ProcmusterError`, among others `PROCESS_GONE` (no such process), `ACCESS_DENIED`, `TIMEOUT`,
 * `INVALID_ARGUMENT` and, after `close()`, `CLOSED`.
 *
 * @example
 * import { ProcessManager } from 'procmuster'
 *
 * await using manager = await ProcessManager.open() // in JavaScript: try { ... } finally { await manager.close() }
 * for (const { pid, name, cpuPercent } of await manager.getTopProcesses({ limit: 5 })) console.log(pid, name, cpuPercent)
 */
export class ProcessManager implements AsyncDisposable {
  readonly #sampler: Sampler
  readonly #samples: RecentSamples
  readonly #monitors: Monitors
  readonly #system = new SystemMonitor()
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  private constructor(sampler: Sampler, monitors: Monitors) {
    if (!(sampler instanceof Sampler)) refuse('the sampler', sampler, 'options to ProcessManager.open()')
    this.#sampler = sampler
    this.#samples = new RecentSamples(sampler)
    this.#monitors = monitors
  }

  /**
   * @throws ProcmusterError `INVALID_ARGUMENT`, `UNSUPPORTED` or `ACCESS_DENIED` for the sampler's source. What only the engine can
   * check, as the journal, is thrown by the first `startMonitoring`.
   *
   * @example
   * const manager = await ProcessManager.open({ intervalMs: 500, journal: './muster.jsonl' })
   * await manager.close()
   */
  static async open(options: ProcessManagerOptions = {}): Promise<ProcessManager> {
    checkOptions(options, MANAGER_CHECKS)
    const { intervalMs = 1000 } = options
    range('intervalMs', intervalMs, 10, 86_400_000)
    const sampler = await Sampler.open(options.sampler)
    const manager = new ProcessManager(sampler, new Monitors({ ...options, intervalMs }))
    await manager.#system.read()
    return manager
  }

  /**
   * Processes that pass all tests given, by one sample. CPU use is that of the last moments: it takes two samples, so that a call
   * that follows none within a second waits 60 ms with the bpf source, 150 ms with procfs.
   *
   * @example
   * const busy = await manager.listProcesses({ user: 'root', minCpuPercent: 1, sort: 'cpuPercent', limit: 20 })
   * for (const { pid, name, status, cpuPercent } of busy) console.log(pid, name, status, cpuPercent)
   */
  async listProcesses(options: ListOptions = {}): Promise<ProcessSummary[]> {
    this.#checkOpen()
    checkListOptions(options)
    return this.#summaries(options, (table) => selectRows(table, options))
  }

  /**
   * Everything about one process: CPU times, memory, I/O, connections, open files, threads, user, command line, limits, context
   * switches. What may not be read is in `missing`. The environment, which holds secrets, only with `environment`.
   *
   * @example
   * const { name, args, usage, files, connections, missing } = await manager.getProcessInfo(process.pid)
   * console.log(name, args, usage.memory?.rssBytes, files?.length, connections?.length, missing)
   */
  async getProcessInfo(
    target: ProcessTarget,
    options: Omit<InspectOptions, 'procRoot'> = {},
  ): Promise<ProcessInfo> {
    return inspectProcess(await this.#identify(target), options)
  }

  /**
   * Sends a signal, by name or number, through a pidfd.
   * @throws ProcmusterError also `PROTECTED`: pid 1, a kernel thread, this process take `force`
   *
   * @example
   * await manager.sendSignal(1234, 'SIGHUP')
   * const { members } = await manager.sendSignal(1234, 'SIGTERM', { to: 'tree' })
   * for (const { pid, ok, error } of members) console.log(pid, ok, error?.code)
   */
  sendSignal(
    target: ProcessTarget,
    signal: SignalName | number,
    options?: SignalProcessOptions,
  ): Promise<void>
  /**
   * Sends a signal to everybody in the process group, or the tree, of a process, those too that are born meanwhile. What went
   * wrong with a member is in its result.
   */
  sendSignal(
    target: ProcessTarget,
    signal: SignalName | number,
    options: SignalMembersOptions,
  ): Promise<MembersResult>
  async sendSignal(
    target: ProcessTarget,
    signal: SignalName | number,
    given: SignalProcessOptions | SignalMembersOptions = {},
  ): Promise<unknown> {
    RECORD('the options', given)
    const { to = 'process', ...options } = given
    oneOf(['process', 'group', 'tree'])('to', to)
    const identity = await this.#identify(target)
    if (to === 'group') return signalGroup(identity, signal, options)
    if (to === 'tree') return signalTree(identity, signal, options)
    throwFailed(await sendSignal([identity], signal, options))
    return undefined
  }

  /**
   * Sets the nice value, -20 (first) to 19 (last), of all threads of a process; `getProcessInfo` and `listProcesses` tell it.
   * @throws ProcmusterError also `PROTECTED`: pid 1, a kernel thread, this process take `force`
   *
   * @example
   * await manager.setPriority(1234, 10)
   * console.log((await manager.getProcessInfo(1234, { sections: [] })).nice)
   */
  async setPriority(target: ProcessTarget, nice: number, options: ThreadOptions = {}): Promise<void> {
    throwFailed(await setPriority([await this.#identify(target)], nice, options))
  }

  /**
   * Those that use most, most first, by CPU of the last moments (see `listProcesses`) or by resident memory.
   *
   * @example
   * for (const { pid, name, rssBytes } of await manager.getTopProcesses({ by: 'memory', limit: 3 })) {
   *   console.log(pid, name, rssBytes)
   * }
   */
  async getTopProcesses(options: TopOptions = {}): Promise<ProcessSummary[]> {
    this.#checkOpen()
    checkOptions(options, { by: oneOf(['cpu', 'memory']), limit: LIMIT, commandLines: FLAG })
    const { by = 'cpu', limit = 10 } = options
    return this.#summaries(options, (table) => table.top(by === 'cpu' ? 'cpuPercent' : 'rssBytes', limit))
  }

  /**
   * All processes by parents, or one and its descendants, with what each and its whole subtree use. `renderTree` draws it. Bytes read
   * and written are summed where the manager was opened with `sampler: { groups: ['io'] }`.
   *
   * @example
   * const [root] = (await manager.getProcessTree(process.pid)).roots
   * for (const { pid, name, depth, subtree } of root.descend()) {
   *   console.log(' '.repeat(depth), pid, name, subtree.processes, subtree.rssBytes, subtree.cpuPercent)
   * }
   */
  async getProcessTree(
    target?: ProcessTarget,
    options: Pick<ProcessTreeOptions, 'commandLines'> = {},
  ): Promise<ProcessTree> {
    this.#checkOpen()
    checkOptions(options, { commandLines: FLAG })
    const { commandLines = false } = options
    const root = target === undefined ? undefined : await this.#identify(target)
    return this.#samples.use(async (table) => {
      if (root !== undefined && table.get(root.pid) === undefined) throw ended(root)
      if (commandLines) await this.#sampler.readDetails(table)
      return processTree(table, { commandLines, ...(root !== undefined && { root }) })
    })
  }

  /**
   * What a process uses over time: CPU, memory, I/O, threads, open files; for `for await`, or all at once by `collect()`. It ends with
   * the process, with the duration, or when the manager closes.
   * @throws ProcmusterError `INVALID_ARGUMENT` at once; the rest when samples are asked for
   *
   * @example
   * for await (const sample of manager.trackProcessResources(process.pid, { durationMs: 2000, intervalMs: 500 })) {
   *   console.log(sample.elapsedMs, sample.cpuPercent, sample.memory?.rssBytes, sample.threads, sample.openFiles)
   * }
   * const samples = await manager.trackProcessResources(process.pid, { durationMs: 1000 }).collect()
   */
  trackProcessResources(target: ProcessTarget, options: TrackOptions = {}): ResourceTrack {
    this.#checkOpen()
    checkTarget(target)
    RECORD('the options', options)
    if (options.signal !== undefined) ABORT_SIGNAL('signal', options.signal)
    const closing = this.#closing.signal
    const signal = options.signal === undefined ? closing : AbortSignal.any([closing, options.signal])
    return new ResourceTrack(this.#identify(target), { ...options, signal })
  }

  /**
   * Raises an alert when a process is above a threshold, and a critical one when it dies. All monitors are rules of one `Engine`, which
   * samples the host every `intervalMs` of the manager until `close()`.
   *
   * @returns the monitor's id, for `stopMonitoring` and in alerts: its `displayName`, or `process 1234`, with a number behind it if
   * another monitor has that
   * @throws ProcmusterError also what `Engine.start` throws
   *
   * @example
   * const id = await manager.startMonitoring(1234, {
   *   ...{ cpuPercent: 80, rssBytes: 500 * 2 ** 20, cooldownMs: 300_000, displayName: 'web server' },
   *   onAlert: (alert) => console.log(alert.severity, alert.state, alert.message),
   * })
   * await manager.stopMonitoring(id)
   */
  async startMonitoring(target: ProcessTarget, options: MonitorOptions): Promise<string> {
    checkOptions(options, MONITOR_CHECKS)
    return this.#monitors.start(await this.#identify(target), options)
  }

  /**
   * Ends a monitor; what still fires of it is resolved by the next sample, which its `onAlert` is not told of.
   * @throws ProcmusterError also `NOT_FOUND` when there is none with this id
   *
   * @example
   * await manager.stopMonitoring('web server')
   */
  async stopMonitoring(id: string): Promise<void> {
    this.#checkOpen()
    TEXT('the id of the monitor', id)
    return this.#monitors.stop(id)
  }

  /**
   * Alerts of the monitors, newest first, also of those that were stopped; the last 1000 unless opened with another `alertCapacity`.
   *
   * @example
   * for (const { rule, message, state } of manager.getAlerts({ severity: 'critical', limit: 10 })) {
   *   console.log(rule, message, state) // the rule is the monitor's id
   * }
   */
  getAlerts(query: MonitorAlertQuery = {}): Alert[] {
    checkQuery(query, { ...OTHER_ALERT_CHECKS, monitor: TEXT })
    return this.#monitors.alerts(query)
  }

  /**
   * The host: CPU total and per core, memory, swap, load, processes by state, boot time, disks, network and others. `rates` are since
   * the call before, at first since the manager was opened.
   *
   * @example
   * const { cpu, memory, load, uptime, processes, rates, missing } = await manager.getSystemStats()
   * console.log(rates?.cpu, rates?.cores, memory, load, uptime, processes?.byState, missing)
   */
  async getSystemStats(): Promise<SystemStats> {
    this.#checkOpen()
    return this.#samples.use((table) => this.#system.read(table))
  }

  /**
   * All resource limits of a process. proc_pid_limits(5).
   *
   * @example
   * const { nofile } = await manager.getResourceLimits(1234)
   * console.log(nofile.soft, nofile.hard)
   */
  async getResourceLimits(target: ProcessTarget): Promise<ResourceLimits> {
    return getResourceLimits(await this.#identify(target))
  }

  /**
   * Sets resource limits of a process by prlimit(2), in the order given; a half that is left out stays as it is. All of them are
   * checked before the first is set; one that the kernel refuses ends it, and those before it stay set.
   *
   * @returns all limits as they are then
   * @throws ProcmusterError also `PROTECTED`: pid 1, a kernel thread, this process take `force`
   *
   * @example
   * await manager.setResourceLimits(1234, { nofile: { soft: 4096 }, core: { soft: 0, hard: 0 } })
   */
  async setResourceLimits(
    target: ProcessTarget,
    limits: Partial<Record<Resource, Partial<ResourceLimit>>>,
    options: { readonly force?: boolean } = {},
  ): Promise<ResourceLimits> {
    RECORD('the limits', limits)
    for (const [resource, limit] of Object.entries(limits)) RECORD(resource, limit)
    checkOptions(options, { force: FLAG })
    const identity = await this.#identify(target)
    const wanted = Object.entries(limits) as [Resource, Partial<ResourceLimit>][]
    for (const [resource, limit] of wanted) await setResourceLimit([], resource, limit)
    for (const [resource, limit] of wanted) {
      throwFailed(await setResourceLimit([identity], resource, limit, options))
    }
    return getResourceLimits(identity)
  }

  /**
   * Ends monitors and tracks, and frees threads and descriptors. May be called again.
   *
   * @example
   * await manager.close()
   */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #summaries(
    { commandLines = false }: Pick<ListOptions, 'commandLines'>,
    select: (table: Table) => ProcessRow[],
  ): Promise<ProcessSummary[]> {
    return this.#samples.use(async (table) => {
      const rows = select(table)
      if (commandLines) await this.#sampler.readDetails(rows)
      return rows.map((row) => summaryOf(row, commandLines))
    })
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    await this.#monitors.close()
    await this.#sampler.close()
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) {
      throw new ProcmusterError('CLOSED', { message: 'the manager has been closed' })
    }
  }

  async #identify(target: ProcessTarget): Promise<ProcessIdentity> {
    this.#checkOpen()
    checkTarget(target)
    return typeof target === 'number' ? identify(target) : target
  }
}

function throwFailed([result]: readonly ControlResult[]): void {
  if (result?.ok === false) throw result.error
}

function ended({ pid, startTicks }: ProcessIdentity): ProcmusterError {
  const message = `process ${pid} (started at tick ${startTicks}) has ended`
  return new ProcmusterError('PROCESS_GONE', { message, pid, startTicks })
}
