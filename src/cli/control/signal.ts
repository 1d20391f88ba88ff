import {
  type MembersResult,
  type SignalName,
  type SignalOptions,
  sendSignal,
  signalGroup,
  signalName,
  signalNumber,
  signalSession,
  signalTree,
} from '../../public/control.js'
import { ProcmusterError } from '../../public/errors.js'
import type { ProcessIdentity } from '../../public/table.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, messageOf } from '../fault.js'
import { quoted, readNumber } from '../values.js'
import type { RawControl } from './options.js'
import { report } from './report.js'
import { type Outcome, outcomeOf, pidsOf, Targets } from './targets.js'

/** As commander hands them over. */
export interface RawSignal extends RawControl {
  tree?: boolean
  group?: boolean
  session?: boolean
  childrenLast?: boolean
  value?: string
}

const REACHES = ['tree', 'group', 'session'] as const
const TO_MANY = { tree: signalTree, group: signalGroup, session: signalSession } as const
const VALUE = {
  flag: '--value',
  wanted: 'a whole number of 32 bits, for example 42',
  min: -(2 ** 31),
  max: 2 ** 31 - 1,
  integer: true,
}

/** `muster signal SIGNAL PID...` */
export async function signal(word: string, words: readonly string[], raw: RawSignal): Promise<void> {
  const faults = new FaultList()
  const number = numberOf(word, 'SIGNAL', faults)
  const pids = pidsOf(words, faults)
  const value = raw.value === undefined ? undefined : readNumber(raw.value, VALUE, faults)
  const reaches = REACHES.filter((name) => raw[name] === true)
  if (reaches.length > 1) {
    faults.add(EXIT.usage, `--${reaches.join(' and --')} do not go together; give one of them`)
  }
  if (raw.childrenLast && raw.tree !== true) {
    faults.add(EXIT.usage, '--children-last orders a tree; give --tree too')
  }
  faults.throwIfAny()
  const targets = await Targets.identify(pids)
  const options: SignalOptions = { force: raw.force === true, ...(value !== undefined && { value }) }
  const said = (pid: number) =>
    number === 0 ? `${pid}: may be signalled` : `${pid}: ${signalName(number!)} sent`
  const [reach] = reaches
  if (reach === undefined) {
    const results = targets.merge(await sendSignal(targets.identities, number!, options))
    return report(results, raw.json, ({ pid }) => said(pid))
  }
  const order = raw.childrenLast ? 'children-last' : 'children-first'
  // Who is only asked need not be stopped.
  const freeze = number !== 0
  const results: MemberOutcome[] = []
  for (const identity of targets.identities) {
    const { pid } = identity
    const done = await outcomeOf(pid, () => TO_MANY[reach](identity, number!, { ...options, order, freeze }))
    results.push(...(done.ok ? membersOf(identity, done) : [{ ...done, of: pid }]))
  }
  report(
    [...targets.failed, ...results],
    raw.json,
    (result) => `${said(result.pid)}${'note' in result ? ` (${result.note})` : ''}`,
  )
}

type MemberOutcome = Outcome & { readonly of: number; readonly note?: string }

function membersOf(root: ProcessIdentity, result: MembersResult): MemberOutcome[] {
  const notes = new Map<number, string>()
  for (const { pid } of result.survivors) notes.set(pid, 'it is still there: it waits in the kernel')
  const members = result.members.map(({ pid, error, parentPid }): MemberOutcome => {
    if (error !== undefined) return { pid, ok: false, error, of: root.pid }
    const note = notes.get(pid) ?? (pid === root.pid ? undefined : `child of ${parentPid}`)
    return { pid, ok: true, of: root.pid, ...(note !== undefined && { note }) }
  })
  const missed = result.missed.map(
    ({ pid }): MemberOutcome => ({
      pid,
      ok: false,
      of: root.pid,
      error: new ProcmusterError('TIMEOUT', {
        message: `process ${pid} was born while the others were signalled, and got nothing; give the command again`,
        pid,
      }),
    }),
  )
  return [...members, ...missed]
}

/** A signal by name or number; what is none is a fault. */
export function numberOf(word: string, flag: string, faults: FaultList): number | undefined {
  if (word.startsWith('-')) {
    return faults.add(
      EXIT.malformed,
      `${flag}: ${quoted(word)} is no signal; it is written without a dash: ${quoted(word.slice(1))}`,
    )
  }
  try {
    return signalNumber(word as SignalName)
  } catch (error) {
    return faults.add(EXIT.malformed, `${flag}: ${messageOf(error)}`)
  }
}
