import { type Checks, checkOptions, ELSEWHERE, FLAG, MILLISECONDS, oneOf } from '../arguments.js'
import { codeOfErrno, errnoName, ProcmusterError } from '../errors.js'
import { native } from '../native.js'
import { markReadHere, type ProcessIdentity } from '../table/identity.js'
import { holdingSignals } from './held_signals.js'
import { type Step, stepError } from './results.js'
import { signalValue } from './signal.js'
import { type SignalName, signalName, signalNumber } from './signal_names.js'
import { packTargets } from './targets.js'

/** Options of a signal to a tree, a group or a session. */
export interface MembersOptions {
  /** Whether descendants get it before their ancestors (`children-first`, the default) or after them. */
  readonly order?: 'children-first' | 'children-last'
  /**
   * Stops everyone first (SIGSTOP), looks until nobody new appears, and lets them go on afterwards (SIGCONT), so that
   * none is born in between and missed. Default true. Parents that watch for stopped children see it; who was stopped
   * before stays so.
   */
  readonly freeze?: boolean
  /** Time for all of them to stop, and after SIGKILL to end. Default 2 s. */
  readonly waitMs?: number
  /** 32 bit number that comes with the signal, as sigqueue(3) sends it. */
  readonly value?: number
  /** Also pid 1, kernel threads and this process; this process is never stopped, and comes last. */
  readonly force?: boolean
}

/** What became of one process of a tree, group or session. */
export interface MemberResult {
  readonly pid: number
  readonly identity: ProcessIdentity
  readonly parentPid: number
  /** How far below the root; in a group or session below the topmost of it. */
  readonly depth: number
  readonly ok: boolean
  /** Why it did not get the signal. */
  readonly error?: ProcmusterError | undefined
}

/** What became of a tree, a group or a session. */
export interface MembersResult {
  /** In the order in which they were signalled. */
  readonly members: readonly MemberResult[]
  /** Killed, and still there after the wait: they wait uninterruptibly in the kernel. */
  readonly survivors: readonly ProcessIdentity[]
  /** Found only afterwards; empty when all stood still. */
  readonly missed: readonly ProcessIdentity[]
  /** Everyone stood still and nobody new was found. */
  readonly complete: boolean
}

/** The order of `Relation` in native/control/members.h. */
export enum Relation {
  tree = 0,
  group = 1,
  session = 2,
}

// The order of the numbers in native/control/members_binding.cc.
enum Cell {
  pid,
  startTicks,
  inode,
  settled,
  parentPid,
  depth,
  stoppedBefore,
  frozen,
  missed,
  survived,
  isProtected,
  errno,
  step,
  count,
}

const WAIT_MS = 2000

/**
 * Signals a process and all its descendants, those too that are born meanwhile. Who was orphaned before the call has
 * another parent by now and is no descendant any more; `signalSession` and `signalGroup` reach such ones.
 * @throws ProcmusterError `PROCESS_GONE` when the root is, `PROTECTED` never for the root alone: its result says so
 */
export function signalTree(
  root: ProcessIdentity,
  signal: SignalName | number,
  options: MembersOptions = {},
): Promise<MembersResult> {
  return signalMembers(Relation.tree, root, signal, options)
}

/**
 * Signals everyone in the process group of `member`, which need not be its leader: the number of a group alone may be
 * another's by now. setpgid(2).
 * @throws ProcmusterError `PROCESS_GONE` when that member is
 */
export function signalGroup(
  member: ProcessIdentity,
  signal: SignalName | number,
  options: MembersOptions = {},
): Promise<MembersResult> {
  return signalMembers(Relation.group, member, signal, options)
}

/**
 * Signals everyone in the session of `member`. setsid(2).
 * @throws ProcmusterError `PROCESS_GONE` when that member is
 */
export function signalSession(
  member: ProcessIdentity,
  signal: SignalName | number,
  options: MembersOptions = {},
): Promise<MembersResult> {
  return signalMembers(Relation.session, member, signal, options)
}

const CHECKS: Checks<MembersOptions> = {
  order: oneOf(['children-first', 'children-last']),
  freeze: FLAG,
  waitMs: MILLISECONDS,
  value: ELSEWHERE,
  force: FLAG,
}

async function signalMembers(
  relation: Relation,
  root: ProcessIdentity,
  signal: SignalName | number,
  options: MembersOptions,
): Promise<MembersResult> {
  checkOptions(options, CHECKS)
  const { result, failures } = await actOnMembers(relation, [root], signalNumber(signal), options)
  if (failures[0] !== undefined) throw failures[0]
  return result
}

/**
 * The same from many roots, some of which may have ended.
 * @param signal undefined only lists them, without stopping anyone
 * @param continueAll also those that were stopped before
 */
export async function actOnMembers(
  relation: Relation,
  roots: readonly ProcessIdentity[],
  signal: number | undefined,
  options: MembersOptions = {},
  continueAll = false,
): Promise<{ result: MembersResult; failures: readonly (ProcmusterError | undefined)[] }> {
  const name = signal === undefined ? 'look at' : signalName(signal)
  const order = options.order ?? 'children-first'
  const freeze = signal !== undefined && (options.freeze ?? true)
  const numbers = Float64Array.of(
    signal ?? -1,
    signalValue(options.value),
    Number(freeze),
    Number(order === 'children-first'),
    Number(continueAll),
    Number(options.force ?? false),
    options.waitMs ?? WAIT_MS,
  )
  const members = native.control.newMembers()
  const out = new Int32Array(3)
  const act = () => native.control.signalMembers(members, relation, packTargets(roots), numbers, out)
  await (freeze ? holdingSignals(act) : act())
  const [errno, complete, count] = out as unknown as [number, number, number]
  const cells = new Float64Array(count * Cell.count)
  const outcomes = new Int32Array(roots.length * 2)
  native.control.readMembers(members, cells, outcomes)
  if (errno !== 0) {
    throw new ProcmusterError(codeOfErrno(errno), {
      message: `${name}: /proc cannot be listed (${errnoName(errno)}); ${count} processes had been found`,
      path: '/proc',
      errno,
    })
  }
  const result = { members: [], survivors: [], missed: [], complete: complete === 1 } as {
    members: MemberResult[]
    survivors: ProcessIdentity[]
    missed: ProcessIdentity[]
    complete: boolean
  }
  for (let at = 0; at < cells.length; at += Cell.count) {
    const cell = (index: Cell) => cells[at + index]!
    const identity: ProcessIdentity = {
      pid: cell(Cell.pid),
      startTicks: cell(Cell.startTicks),
      ...(cell(Cell.inode) !== 0 && { pidfsInode: cell(Cell.inode) }),
      settled: cell(Cell.settled) === 1,
    }
    if (cell(Cell.isProtected) === 0) markReadHere(identity)
    if (cell(Cell.survived) === 1) result.survivors.push(identity)
    if (cell(Cell.missed) === 1) {
      result.missed.push(identity)
      continue
    }
    const error = stepError(identity, name, cell(Cell.errno), cell(Cell.step) as Step)
    result.members.push({
      pid: identity.pid,
      identity,
      parentPid: cell(Cell.parentPid),
      depth: cell(Cell.depth),
      ok: error === undefined,
      ...(error !== undefined && { error }),
    })
  }
  const failures = roots.map((root, index) =>
    stepError(root, name, outcomes[index * 2]!, outcomes[index * 2 + 1]! as Step),
  )
  return { result, failures }
}
