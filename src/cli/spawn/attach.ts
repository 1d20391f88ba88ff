import { once } from 'node:events'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { ProcmusterError } from '../../public/errors.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail } from '../fault.js'
import { StopSignals } from '../stop_signals.js'
import { quoted, readNumber } from '../values.js'
import type { JobNow } from './job.js'
import { ended, refuseUnknown, sessionsOf } from './job_session.js'
import { JobStore } from './job_store.js'
import { find, type RawAttach, wordedEnd } from './jobs.js'
import { LogText } from './log_text.js'

const LINES = { flag: '-n/--lines', wanted: 'a number from 0 to 100000', min: 0, max: 100_000, integer: true }
const DEFAULT_LINES = 10
const CHUNK_BYTES = 1 << 16
/** inotify does not tell of what other hosts write, and some file systems have none. */
const LOOK_MS = 100

/** `muster jobs attach JOB` */
export async function attach(word: string, raw: RawAttach): Promise<void> {
  const faults = new FaultList()
  const lines = raw.lines === undefined ? DEFAULT_LINES : readNumber(raw.lines, LINES, faults)
  faults.throwIfAny()
  const store = await JobStore.open()
  const [job] = await find(store, [word])
  const file = await open(job!.log).catch((error: NodeJS.ErrnoException) =>
    fail(EXIT.failure, `the log ${quoted(job!.log)} of job ${job!.name} cannot be read (${error.code})`),
  )
  using signals = new StopSignals()
  try {
    const end = endOf(job!, signals.signal)
    const text = process.stdout.isTTY === true && raw.raw !== true ? new LogText() : undefined
    await follow(file, await lastLines(file, lines!), { ended: end, left: signals.signal, text })
    if (end.reason instanceof ProcmusterError) throw end.reason
  } finally {
    await file.close()
  }
  if (signals.signal.aborted) {
    process.stderr.write(`muster: detached from ${job!.name} (${job!.pid}), which goes on\n`)
    process.exitCode = signals.exitCode
    return
  }
  const now = await store.again(job!)
  process.stderr.write(`muster: ${job!.name} (${job!.pid}): ${now ? wordedEnd(now) : 'ended'}\n`)
}

/** Becomes aborted when nobody is left in its session, or with the reason why that cannot be seen. */
function endOf(job: JobNow, left: AbortSignal): AbortSignal {
  const end = new AbortController()
  awaitEnd(job, left).then(
    () => end.abort(),
    (error) => end.abort(error),
  )
  return end.signal
}

async function awaitEnd(job: JobNow, left: AbortSignal): Promise<void> {
  if (job.state === 'ended') return
  await refuseUnknown(job)
  for (;;) {
    const [member] = (await sessionsOf([job])).get(job)!
    if (member === undefined) return
    await ended(member.identity, left)
    if (left.aborted) return
  }
}

/** Prints from a position on until the job has ended and nothing is left, or the user leaves. */
async function follow(
  file: FileHandle,
  from: number,
  { ended, left, text }: { ended: AbortSignal; left: AbortSignal; text: LogText | undefined },
): Promise<void> {
  let position = from
  const buffer = Buffer.alloc(CHUNK_BYTES)
  const either = AbortSignal.any([ended, left])
  while (!left.aborted) {
    // Asked before the read: what it wrote until then is read still.
    const isLast = ended.aborted
    const { size } = await file.stat()
    // Emptied by whoever rotates it.
    if (size < position) position = 0
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position)
    position += bytesRead
    if (bytesRead > 0) {
      const bytes = Uint8Array.from(buffer.subarray(0, bytesRead))
      const isAhead = process.stdout.write(text === undefined ? bytes : text.next(bytes))
      // Aborted too when the reader of stdout is gone.
      if (!isAhead) await once(process.stdout, 'drain', { signal: left }).catch(() => {})
    } else if (isLast) {
      if (text !== undefined) process.stdout.write(text.rest())
      return
    } else await sleep(LOOK_MS, undefined, { signal: either }).catch(() => {})
  }
}

/** Where the last lines of a file begin. */
async function lastLines(file: FileHandle, count: number): Promise<number> {
  const { size } = await file.stat()
  if (count === 0) return size
  const buffer = Buffer.alloc(CHUNK_BYTES)
  let newlines = 0
  for (let end = size; end > 0; ) {
    const from = Math.max(0, end - CHUNK_BYTES)
    const { bytesRead } = await file.read(buffer, 0, end - from, from)
    for (let at = bytesRead - 1; at >= 0; at--) {
      // The newline that the file ends with begins no line.
      if (buffer[at] === 0x0a && from + at < size - 1 && ++newlines === count) return from + at + 1
    }
    end = from
  }
  return 0
}
