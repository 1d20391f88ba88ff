import type { Decision } from '../rules/decision.js'
import { identityKey, type ProcessIdentity } from '../table/identity.js'

interface Held {
  readonly pid: number
  /** The process that it takes the place of, through failed attempts too. */
  readonly origin: string
  /** `running`: it has executed its program; `sampled`: a sample has begun since. */
  state: 'held' | 'running' | 'sampled'
  /** By rule: what fired for it meanwhile and was not cleared. */
  readonly decisions: Map<string, Decision>
}

/**
 * Successors that are held before their exec. Until then such a child is a copy of the engine, with the engine's name
 * and memory: what rules find in it says nothing about the program that it will be, and waits for a sample of that.
 */
export class HeldChildren {
  readonly #held = new Map<string, Held>()

  hold(old: ProcessIdentity, child: ProcessIdentity): void {
    const origin = this.#held.get(identityKey(old))?.origin ?? identityKey(old)
    this.#held.delete(identityKey(old))
    this.#held.set(identityKey(child), { pid: child.pid, origin, state: 'held', decisions: new Map() })
  }

  release(child: ProcessIdentity): void {
    const held = this.#held.get(identityKey(child))
    if (held !== undefined) held.state = 'running'
  }

  /** No child came of it. */
  giveUp(origin: ProcessIdentity): void {
    for (const [key, held] of this.#held) if (held.origin === identityKey(origin)) this.#held.delete(key)
  }

  beginSample(): void {
    for (const held of this.#held.values()) if (held.state === 'running') held.state = 'sampled'
  }

  /** True when the decision is about a held child; it is kept back then. */
  keepsBack(decision: Decision): boolean {
    const held = decision.identity && this.#held.get(identityKey(decision.identity))
    if (held === undefined) return false
    if (decision.kind === 'fire') held.decisions.set(decision.rule.name, decision)
    else held.decisions.delete(decision.rule.name)
    return true
  }

  /**
   * What still holds for children that a whole sample has seen running. The kernel lets the maker of a child go on a
   * moment before the child has its new memory, so the sample itself has to show that it has.
   * @param isCopy whether the sample shows the process before its exec
   */
  endSample(isCopy: (pid: number) => boolean): Decision[] {
    const due: Decision[] = []
    for (const [key, { pid, state, decisions }] of this.#held) {
      if (state !== 'sampled' || isCopy(pid)) continue
      due.push(...decisions.values())
      this.#held.delete(key)
    }
    return due
  }
}
