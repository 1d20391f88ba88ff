import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { CALLBACK, checkOptions, FLAG, MILLISECONDS, TEXT } from '../arguments.js'
import { identify } from '../control/handle.js'
import { holdingSignals } from '../control/held_signals.js'
import type { ControlResult } from '../control/results.js'
import { sendSignal } from '../control/signal.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { checkInside, childGroups, parseFlat, readControl, writeControl } from './files.js'
import { makeGroup, removeGroup } from './group_directory.js'
import { type CgroupOptions, type GroupPlace, type PlaceName, placesFor } from './group_place.js'
import { CONTROLLERS, type Controller, checkCgroupPath } from './hierarchies.js'
import { type CgroupLimits, type ControlPlace, readLimits, writeLimits } from './limits.js'
import { moveInto } from './move.js'
import { type CgroupEventCounts, type CgroupUse, readEventCounts, readProcesses, readUse } from './use.js'
import { type CgroupWatch, watchEventCounts, watchFile } from './watch.js'

const WAIT_MS = 5000
const POLL_MS = 5

/**
 * A control group. In version 2 it is one directory; in version 1, where each controller has a tree of its own, it is the same path in each
 * of them. cgroups(7).
 */
export class Cgroup {
  /** Below the root of the trees, such as `/web/api`. */
  readonly path: string
  readonly #places: ReadonlyMap<PlaceName, GroupPlace>

  private constructor(path: string, places: ReadonlyMap<PlaceName, GroupPlace>) {
    this.path = path
    this.#places = places
  }

  /**
   * Makes a group, with those above it, where it is not there yet.
   * @throws ProcmusterError `INVALID_ARGUMENT`, `UNSUPPORTED` when the host lacks one of the controllers, `ACCESS_DENIED`,
   * `BUSY` when version 2 cannot hand a controller down because a group above has processes of its own
   */
  static async create(path: string, options: CgroupOptions = {}): Promise<Cgroup> {
    TEXT('the path', path)
    checkCgroupPath(path)
    const places = await placesFor(path, options)
    for (const directory of new Set([...places.values()].map((place) => place.directory))) {
      const [, place] = [...places].find(([, each]) => each.directory === directory)!
      const controllers = [...places].filter(([, each]) => each.directory === directory).map(([name]) => name)
      await makeGroup(place, controllers)
    }
    return new Cgroup(path, places)
  }

  /** A group that is there; `/` is the root, which can be looked at and moved to. @throws ProcmusterError `NOT_FOUND`, `INVALID_ARGUMENT`, `UNSUPPORTED` */
  static async open(path: string, options: CgroupOptions = {}): Promise<Cgroup> {
    TEXT('the path', path)
    if (path !== '/') checkCgroupPath(path)
    const places = await placesFor(path, options)
    const mountPoints = [...new Set([...places.values()].map(({ mountPoint }) => mountPoint))].join(', ')
    for (const [name, { directory, mountPoint }] of places) {
      if (!existsSync(directory)) places.delete(name)
      else await checkInside(directory, mountPoint)
    }
    if (places.size > 0) return new Cgroup(path, places)
    throw new ProcmusterError('NOT_FOUND', {
      message: `there is no control group ${JSON.stringify(path)} below ${mountPoints}`,
      path,
    })
  }

  /** Those that it has. */
  get controllers(): Controller[] {
    return CONTROLLERS.filter((name) => this.#places.has(name))
  }

  /** Where it is, once for each tree. */
  get directories(): string[] {
    return [...new Set([...this.#places.values()].map(({ directory }) => directory))]
  }

  /** What its processes may use together. @throws ProcmusterError `NOT_FOUND` when it has vanished */
  async limits(): Promise<CgroupLimits> {
    return readLimits(this.#find)
  }

  /**
   * Sets limits; those that are left out stay. Memory that its processes have from before they came is not counted in version 2 and
   * newer kernels.
   * @throws ProcmusterError `INVALID_ARGUMENT`, `UNSUPPORTED`, `ACCESS_DENIED`, `NOT_FOUND`, `BUSY`
   */
  async setLimits(limits: CgroupLimits): Promise<void> {
    this.#refuseRoot()
    await writeLimits(this.#find, limits)
  }

  /** What it uses. @throws ProcmusterError `NOT_FOUND` when it has vanished */
  async use(): Promise<CgroupUse> {
    return readUse(this.#find, await this.processes())
  }

  /** Pids of the processes in it, without those of groups below. */
  async processes(): Promise<number[]> {
    return readProcesses(this.directories[0]!)
  }

  /** What happened in it since it was made. */
  async eventCounts(): Promise<CgroupEventCounts> {
    return readEventCounts(this.#find)
  }

  /** Calls `listener` each time a count has grown, told by the kernel; nothing is polled. */
  async watchEvents(listener: (counts: CgroupEventCounts) => void): Promise<CgroupWatch> {
    CALLBACK('the listener', listener)
    return watchEventCounts(this.#find, listener)
  }

  /**
   * Moves processes into it, with all their threads; children that they have stay where they are. One result each.
   * @param options.force also pid 1 and kernel threads
   */
  async move(
    targets: readonly ProcessIdentity[],
    options: { readonly force?: boolean } = {},
  ): Promise<ControlResult[]> {
    checkOptions(options, { force: FLAG })
    return moveInto(this.directories, targets, options.force ?? false)
  }

  /**
   * Stops everyone in it and below, until `thaw`; nobody can prevent or see it.
   * @throws ProcmusterError `UNSUPPORTED`, `TIMEOUT`, `NOT_FOUND`, `ACCESS_DENIED`
   */
  async freeze(options: { readonly waitMs?: number } = {}): Promise<void> {
    checkOptions(options, { waitMs: MILLISECONDS })
    this.#refuseRoot()
    const { version, directory } = this.#freezer()
    const waitMs = options.waitMs ?? WAIT_MS
    if (version === 2) {
      await writeControl(directory, 'cgroup.freeze', '1')
      await untilEvent(directory, 'frozen', 1, waitMs)
      return
    }
    // It has no event, and looks whether all stand still only when it is read. Who went to wait for a child made by vfork
    // just when it was told to stand still is asked again only by another write.
    await poll(
      async () => {
        await writeControl(directory, 'freezer.state', 'FROZEN')
        return (await readControl(directory, 'freezer.state')).trim() === 'FROZEN'
      },
      waitMs,
      directory,
      'freeze',
    )
  }

  /** Lets them go on. @throws ProcmusterError `UNSUPPORTED`, `NOT_FOUND`, `ACCESS_DENIED` */
  async thaw(): Promise<void> {
    const { version, directory } = this.#freezer()
    if (version === 2) await writeControl(directory, 'cgroup.freeze', '0')
    else await writeControl(directory, 'freezer.state', 'THAWED')
  }

  /**
   * Kills everyone in it and below, those too that are born meanwhile, and waits until nobody is left.
   * @throws ProcmusterError `TIMEOUT`, `NOT_FOUND`, `ACCESS_DENIED`, `PROTECTED` when this process is in it
   */
  async kill(options: { readonly waitMs?: number; readonly force?: boolean } = {}): Promise<void> {
    this.#refuseRoot()
    const waitMs = options.waitMs ?? WAIT_MS
    const { version, directory } = this.#places.get('freezer') ?? this.#places.values().next().value!
    // A child that was born while its parent was moved into one tree after the other is only in some of them.
    const inside = await this.#everyone()
    if (!options.force && (inside.includes(process.pid) || inside.includes(1))) {
      throw new ProcmusterError('PROTECTED', {
        message: `${JSON.stringify(this.path)} has pid 1 or this very process in it; give force to kill it all the same`,
        path: directory,
      })
    }
    if (version === 2 && this.directories.length === 1 && existsSync(`${directory}/cgroup.kill`)) {
      await writeControl(directory, 'cgroup.kill', '1')
    } else {
      await this.#killFrozen(options.force ?? false, waitMs)
    }
    await poll(async () => (await this.#everyone()).length === 0, waitMs, directory, 'kill')
  }

  /**
   * Removes it; with `recursive` also the groups below it. Harmless when it is gone already.
   * @throws ProcmusterError `BUSY` while somebody is in it, `ACCESS_DENIED`
   */
  async remove(options: { readonly recursive?: boolean } = {}): Promise<void> {
    checkOptions(options, { recursive: FLAG })
    this.#refuseRoot()
    for (const directory of this.directories) await removeGroup(directory, options.recursive ?? false)
  }

  readonly #find = (controller: PlaceName): ControlPlace | undefined => this.#places.get(controller)

  // Everyone is in it or below, and the kernel has no such files for it.
  #refuseRoot(): void {
    if (this.path !== '/') return
    throw new ProcmusterError('INVALID_ARGUMENT', {
      message:
        '"/" is the root of the control groups, with everyone in it; give a group below it, like /web/api',
      path: '/',
    })
  }

  #freezer(): ControlPlace {
    const place = this.#places.get('freezer')
    if (place !== undefined) return place
    throw new ProcmusterError('UNSUPPORTED', {
      message: `${JSON.stringify(this.path)} cannot be frozen: the group has no controller freezer`,
      path: this.path,
    })
  }

  async #everyone(): Promise<number[]> {
    return [...new Set((await Promise.all(this.directories.map(processesBelow))).flat())]
  }

  // Without a freezer the ones that fork fastest would get away; each round kills what it finds.
  async #killFrozen(force: boolean, waitMs: number): Promise<void> {
    const freezer = this.#places.has('freezer')
    const giveUp = performance.now() + waitMs
    do {
      const isEmpty = await holdingSignals(async () => {
        try {
          if (freezer) await this.freeze({ waitMs })
          const pids = await this.#everyone()
          const found = await Promise.all(pids.map((pid) => identify(pid).catch(() => undefined)))
          const targets = found.filter((each) => each !== undefined)
          const denied = (await sendSignal(targets, 'SIGKILL', { force })).find(
            (result) => !result.ok && result.error.code !== 'PROCESS_GONE',
          )
          if (denied?.ok === false) throw denied.error
          return pids.length === 0
        } finally {
          if (freezer) await this.thaw()
        }
      })
      if (isEmpty) return
      await sleep(POLL_MS)
    } while (performance.now() < giveUp)
  }
}

async function processesBelow(directory: string): Promise<number[]> {
  const own = await readProcesses(directory).catch((error: ProcmusterError): number[] => {
    if (error.code === 'NOT_FOUND') return []
    throw error
  })
  const below = await Promise.all(
    (await childGroups(directory)).map((name) => processesBelow(`${directory}/${name}`)),
  )
  return own.concat(...below)
}

async function untilEvent(directory: string, key: string, value: number, waitMs: number): Promise<void> {
  const reached = async () => parseFlat(await readControl(directory, 'cgroup.events')).get(key) === value
  let changed: () => void = () => {}
  const stop = watchFile(directory, 'cgroup.events', () => changed())
  try {
    const giveUp = performance.now() + waitMs
    // Looked at once more after the watch has begun.
    while (!(await reached())) {
      const left = giveUp - performance.now()
      if (left <= 0) throw timedOut(directory, key, waitMs)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        changed = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  } finally {
    stop()
  }
}

async function poll(
  reached: () => Promise<boolean>,
  waitMs: number,
  directory: string,
  action: string,
): Promise<void> {
  const giveUp = performance.now() + waitMs
  while (!(await reached())) {
    if (performance.now() > giveUp) throw timedOut(directory, action, waitMs)
    await sleep(POLL_MS)
  }
}

function timedOut(directory: string, action: string, waitMs: number): ProcmusterError {
  return new ProcmusterError('TIMEOUT', {
    message: `${action}: the control group ${JSON.stringify(directory)} was not there yet after ${waitMs} ms; a process in it waits uninterruptibly in the kernel`,
    path: directory,
  })
}
