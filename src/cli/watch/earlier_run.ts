import { currentPlace, type ProcessIdentity, readJournal } from '../../index.js'

/**
 * What an earlier watch with the same journal did to the process of a pid: a restart that it began and did not finish,
 * or the successor that its last restart made.
 */
type EarlierRestart =
  | {
      readonly kind: 'unfinished'
      readonly actionId: string
      readonly identity: ProcessIdentity
      readonly name: string
    }
  | { readonly kind: 'done'; readonly identity: ProcessIdentity; readonly name: string }

/** Undefined when the journal tells of none in this boot and PID namespace, or cannot be read. */
export async function earlierRestart(journal: string, pid: number): Promise<EarlierRestart | undefined> {
  const here = await currentPlace()
  const unfinished = new Map<string, EarlierRestart>()
  let done: EarlierRestart | undefined
  try {
    for await (const record of readJournal(journal)) {
      if (record.type === 'action-begun' && record.action === 'restart') {
        const { actionId, identity, name, place } = record
        const isHere = place.bootId === here.bootId && place.pidNamespace === here.pidNamespace
        const isIt = identity.pid === pid || (done !== undefined && isSame(identity, done.identity))
        if (isHere && isIt) unfinished.set(actionId, { kind: 'unfinished', actionId, identity, name })
      } else if (record.type === 'action-done' && unfinished.delete(record.actionId) && record.successor) {
        done = { kind: 'done', identity: record.successor, name: record.name }
      }
    }
  } catch {
    // There is none yet, or it cannot be read: the check of the journal that follows has the words for that.
    return undefined
  }
  return [...unfinished.values()].at(-1) ?? done
}

/** How an action ended, by the journal; undefined when it did not. */
export async function endOfAction(journal: string, actionId: string): Promise<string | undefined> {
  for await (const record of readJournal(journal)) {
    if (record.type === 'action-done' && record.actionId === actionId)
      return record.reason ?? record.error?.message ?? record.status
  }
  return undefined
}

export const isSame = (a: ProcessIdentity, b: ProcessIdentity): boolean =>
  a.pid === b.pid && a.startTicks === b.startTicks
