import type { ProcessEvent } from '../events/event.js'
import type { ProcessIdentity } from '../table/identity.js'

/** A rule that names its process by pid, and the process it means: after a restart by this engine, the successor. */
export interface Binding {
  readonly rule: string
  identity: ProcessIdentity
  name: string
  /**
   * `ending`: we are about to end it, or to start it; `gone`: it ended then; `died`: it ended otherwise, which has been
   * told.
   */
  state: 'alive' | 'ending' | 'gone' | 'died'
  /** Tables looked into since it was bound that did not have it yet. */
  samples: number
}

export type EventIdentity = Pick<ProcessEvent, 'pid' | 'startTicks' | 'pidfsInode'>

/**
 * Whether an event tells of that process. A predecessor with the same pid may have begun in the same tick, and the record
 * of its end come late; without any identity in the event, it is whoever has the pid.
 */
export function isOf({ pid, startTicks, pidfsInode }: EventIdentity, identity: ProcessIdentity): boolean {
  if (pid !== identity.pid) return false
  if (pidfsInode !== undefined && identity.pidfsInode !== undefined) return pidfsInode === identity.pidfsInode
  return startTicks === undefined || startTicks === identity.startTicks
}

/** The processes that rules watch by pid: their deaths are noticed, their successors followed. */
export class WatchedProcesses {
  #bindings: readonly Binding[] = []
  readonly #byPid = new Map<number, Binding[]>()

  add(binding: Binding): void {
    this.#bindings = [...this.#bindings, binding]
    this.#index()
  }

  /** Only these bindings go on. */
  keep(wanted: (binding: Binding) => boolean): void {
    this.#bindings = this.#bindings.filter(wanted)
    this.#index()
  }

  get all(): readonly Binding[] {
    return this.#bindings
  }

  get size(): number {
    return this.#bindings.length
  }

  /** Bindings to this very process. */
  of(pid: number, startTicks: number): readonly Binding[] {
    const found = this.#byPid.get(pid)
    return found === undefined ? [] : found.filter((binding) => binding.identity.startTicks === startTicks)
  }

  /** The process that a rule watches of which an event tells. */
  identityOf(event: EventIdentity): ProcessIdentity | undefined {
    return this.#byPid.get(event.pid)?.find(({ identity }) => isOf(event, identity))?.identity
  }

  /** From now on its end is our doing. */
  expectEnd({ pid, startTicks }: ProcessIdentity): void {
    for (const binding of this.of(pid, startTicks)) {
      if (binding.state === 'alive') binding.state = 'ending'
    }
  }

  /** What we were about to do to it is over; returns the bindings whose process ended all the same. */
  expectLife({ pid, startTicks }: ProcessIdentity): Binding[] {
    const died: Binding[] = []
    for (const binding of this.of(pid, startTicks)) {
      if (binding.state === 'gone') died.push(binding)
      if (binding.state === 'ending') binding.state = 'alive'
    }
    for (const binding of died) binding.state = 'died'
    return died
  }

  /** It is gone; returns the bindings for which that comes from somewhere else. */
  ended(pid: number, startTicks: number): Binding[] {
    const died: Binding[] = []
    for (const binding of this.of(pid, startTicks)) {
      if (binding.state === 'alive') died.push(binding)
      if (binding.state === 'ending') binding.state = 'gone'
    }
    for (const binding of died) binding.state = 'died'
    return died
  }

  /** Moves the bindings of a process to its successor, whose life is expected once it runs; returns them. */
  follow(old: ProcessIdentity, successor: ProcessIdentity): readonly Binding[] {
    const moved = this.of(old.pid, old.startTicks)
    for (const binding of moved) {
      binding.identity = successor
      binding.state = 'ending'
      binding.samples = 0
    }
    if (moved.length > 0) this.#index()
    return moved
  }

  #index(): void {
    this.#byPid.clear()
    for (const binding of this.#bindings) {
      const ofPid = this.#byPid.get(binding.identity.pid)
      if (ofPid === undefined) this.#byPid.set(binding.identity.pid, [binding])
      else ofPid.push(binding)
    }
  }
}
