import { userInfo } from 'node:os'
import {
  type EngineRequest,
  isJournalInUse,
  type RequestAnswer,
  type SentRequest,
  sendRequest,
  withdrawRequest,
} from '../../public/alerts.js'
import { EXIT, type ExitCode } from '../exit_codes.js'
import { FaultList, fail } from '../fault.js'
import { escapeForTerminal, safeJson } from '../terminal.js'
import { readNumber, readText } from '../values.js'
import { journalOf, type RawPlace, useJournal } from './place.js'
import { refuseUnknown } from './refuse_unknown.js'
import { answerText, waitingText } from './text.js'

/** As commander hands them over. */
export interface RawAsk extends RawPlace {
  by?: string
  note?: string
  wait?: string
  json?: boolean
}

const WAIT = { flag: '--wait', wanted: 'seconds from 0 to 3600, for example 5', min: 0, max: 3600 }

/** What each of these commands asks, with its own faults added to the list. */
type Asking = (by: string, note: string | undefined, faults: FaultList) => EngineRequest | undefined

/** Leaves a request for the watch, and tells what became of it. */
export async function ask(raw: RawAsk, asking: Asking): Promise<void> {
  const faults = new FaultList()
  const journal = journalOf(raw, faults)
  const by = raw.by === undefined ? userName() : readText(raw.by, '--by', 'a name', faults)
  const note = raw.note === undefined ? undefined : readText(raw.note, '--note', 'a text', faults)
  const waitSeconds = raw.wait === undefined ? undefined : readNumber(raw.wait, WAIT, faults)
  const request = asking(by ?? '', note, faults)
  faults.throwIfAny()
  await useJournal(journal)
  if (!(await isJournalInUse(journal))) {
    if (request!.type === 'unsilence' && (await withdrawRequest(journal, request!.silenceId))) {
      tellWithdrawn(request!.silenceId, raw.json === true)
      return
    }
    await refuseUnknown(journal, request!)
  }
  const sent = await sendRequest(journal, request!, {
    ...(waitSeconds !== undefined && { waitMs: waitSeconds * 1000 }),
  })
  tell(sent, raw.json === true)
  process.exitCode = exitCodeOf(sent.answer)
}

function tellWithdrawn(request: string, json: boolean): void {
  const text = json
    ? safeJson({ request, isRunning: false, answer: null, withdrawn: true })
    : escapeForTerminal(`request ${request} is taken back; no watch had taken it`)
  process.stdout.write(`${text}\n`)
}

function tell({ id, answer, isRunning }: SentRequest, json: boolean): void {
  if (json) {
    process.stdout.write(`${safeJson({ request: id, isRunning, answer: answer ?? null })}\n`)
    return
  }
  if (answer?.type === 'request-refused') fail(EXIT.noSuchProcess, answerText(answer))
  if (answer === undefined) process.stderr.write(`muster: ${waitingText(id, isRunning)}\n`)
  else process.stdout.write(`${answerText(answer)}\n`)
}

function exitCodeOf(answer: RequestAnswer | undefined): ExitCode {
  return answer?.type === 'request-refused' ? EXIT.noSuchProcess : EXIT.ok
}

/** Who is behind a sudo, where there is one. */
function userName(): string {
  if (process.getuid?.() === 0 && process.env.SUDO_USER) return process.env.SUDO_USER
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.()}` // which has no name
  }
}
