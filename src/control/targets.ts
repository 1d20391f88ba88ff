import { checkIdentities } from '../arguments.js'
import { native } from '../native.js'
import { isProvenByInode, type ProcessIdentity } from '../table/identity.js'
import { type ControlResult, controlResult } from './results.js'

const NUMBERS_PER_TARGET = 4
// The bits in native/control/target_numbers_binding.h.
const SETTLED = 1
const PROVEN_BY_INODE = 2
// Most of the time goes into system calls: a thread of the pool for each half.
const SPLIT_FROM = 512

/** The order of `ActionKind` in native/control/action.h. */
export enum ActionKind {
  signal = 0,
  priority = 1,
  resourceLimit = 2,
  ioPriority = 3,
  scheduler = 4,
  affinity = 5,
  oomScoreAdj = 6,
  timerSlack = 7,
  autogroup = 8,
}

/** What is done to each target of a batch. */
interface BatchAction {
  /** As an error names it. */
  readonly name: string
  readonly kind: ActionKind
  /** As native/control/control_binding.cc reads them. */
  readonly args: readonly number[]
  readonly force?: boolean | undefined
  /** Only the main thread, of what the kernel keeps for each. */
  readonly leaderOnly?: boolean | undefined
  /** What an errno means here, by its name. */
  readonly hints?: Readonly<Record<string, string>> | undefined
}

/** The addon's form of some identities: four numbers each. */
export function packTargets(targets: readonly ProcessIdentity[]): Float64Array {
  checkIdentities(targets)
  const packed = new Float64Array(targets.length * NUMBERS_PER_TARGET)
  targets.forEach((target, index) => {
    const at = index * NUMBERS_PER_TARGET
    packed[at] = target.pid
    packed[at + 1] = target.startTicks
    packed[at + 2] = target.pidfsInode ?? 0
    packed[at + 3] = (target.settled ? SETTLED : 0) | (isProvenByInode(target) ? PROVEN_BY_INODE : 0)
  })
  return packed
}

/** Does one thing to many processes, off the main thread, in no certain order. */
export async function actOn(
  targets: readonly ProcessIdentity[],
  { name, kind, args, force = false, leaderOnly = false, hints }: BatchAction,
): Promise<ControlResult[]> {
  checkIdentities(targets)
  if (targets.length === 0) return []
  const outcomes = new Int32Array(targets.length * 2)
  const packed = packTargets(targets)
  const half = targets.length < SPLIT_FROM ? targets.length : targets.length >> 1
  const act = (from: number, to?: number) =>
    native.control.act(
      packed.subarray(from * NUMBERS_PER_TARGET, to && to * NUMBERS_PER_TARGET),
      kind,
      Float64Array.from(args),
      force,
      leaderOnly,
      outcomes.subarray(from * 2, to && to * 2),
    )
  await Promise.all(half === targets.length ? [act(0)] : [act(0, half), act(half)])
  return targets.map((target, index) =>
    controlResult(target, name, outcomes[index * 2]!, outcomes[index * 2 + 1]!, hints),
  )
}
