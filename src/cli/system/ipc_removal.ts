import { type ErrorCode, ProcmusterError } from '../../public/errors.js'
import { type IpcIdentity, type IpcKind, type IpcResult, listIpc, removeIpc } from '../../public/ipc.js'
import { EXIT, exitCodeOf } from '../exit_codes.js'
import { FaultList, fail, messageOf } from '../fault.js'
import { printJson } from '../inspect/json.js'
import { didYouMean } from '../suggest.js'
import { escapeForTerminal } from '../terminal.js'
import { quoted, readNumber, splitList } from '../values.js'
import { KIND_WORDS } from './ipc_command.js'

/** As commander hands them over. */
export interface RawRemoval {
  force?: boolean
  json?: boolean
}

type KindWord = (typeof KIND_WORDS)[number]

const KINDS: Readonly<Record<KindWord, IpcKind>> = {
  queue: 'messageQueue',
  memory: 'sharedMemory',
  semaphores: 'semaphores',
}
const ID = {
  flag: 'ID',
  wanted: 'an id as `muster ipc` lists them',
  min: 0,
  max: 2 ** 31 - 1,
  integer: true,
}

/** `muster ipc remove KIND ID...` */
export async function remove(kindWord: string, words: readonly string[], raw: RawRemoval): Promise<void> {
  const faults = new FaultList()
  const word = KIND_WORDS.find((each) => each === kindWord)
  if (word === undefined) {
    const hint = `${didYouMean(kindWord, KIND_WORDS)}; give ${KIND_WORDS.join(', ')}`
    faults.add(EXIT.malformed, `KIND ${quoted(kindWord)} is none${hint}`)
  }
  const parts = words.flatMap((each) => (each.trim() === '' ? [each] : splitList(each)))
  const ids = [...new Set(parts.flatMap((part) => readNumber(part, ID, faults) ?? []))]
  faults.throwIfAny()
  const listing = await listIpc()
  const { messageQueues, sharedMemory, semaphores } = listing
  const kind = KINDS[word!]
  const objects = { messageQueue: messageQueues, sharedMemory, semaphores }[kind]
  if (objects === undefined) {
    fail(EXIT.failure, escapeForTerminal(listing.missing.map(({ reason }) => reason).join('; ')))
  }
  const targets = ids.map((id) => objects.find((each) => each.id === id))
  // Of several, all or none are to be found: a slip of the pen is not to remove half of them.
  if (targets.includes(undefined)) return report(refusals(kind, word!, ids, targets), word!, raw)
  const results = await removeIpc(targets as IpcIdentity[], { force: raw.force === true })
  report(results, word!, raw)
}

/** One for each id; those that are not there come first, and decide the exit code. */
function refusals(
  kind: IpcKind,
  word: KindWord,
  ids: readonly number[],
  targets: readonly (IpcIdentity | undefined)[],
): IpcResult[] {
  const refuse =
    (code: ErrorCode, why: string) =>
    (id: number): IpcResult => {
      const error = new ProcmusterError(code, { message: `${word} ${id}: ${why}` })
      return { kind, id, ok: false, error }
    }
  const isThere = (_: number, index: number) => targets[index] !== undefined
  const isNot = (id: number, index: number) => !isThere(id, index)
  return [
    ...ids.filter(isNot).map(refuse('NOT_FOUND', 'no such object; `muster ipc` lists those there are')),
    ...ids
      .filter(isThere)
      .map(refuse('INVALID_ARGUMENT', 'not removed, as others of those given are not there')),
  ]
}

function report(results: readonly IpcResult[], word: KindWord, raw: RawRemoval): void {
  const faults = new FaultList()
  for (const result of results) {
    if (!result.ok) faults.add(exitCodeOf[result.error.code] ?? EXIT.failure, messageOf(result.error))
  }
  if (raw.json === true) printJson(results.map(toJson))
  else for (const { id, ok } of results) if (ok) process.stdout.write(`${word} ${id}: removed\n`)
  faults.throwIfAny()
}

const toJson = (result: IpcResult): unknown =>
  result.ok ? result : { ...result, error: { code: result.error.code, message: messageOf(result.error) } }
