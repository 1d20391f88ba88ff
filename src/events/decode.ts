import { signalName } from '../control/signal_names.js'
import type { LifecycleEvent, SignalSender } from './event.js'

// The cells of one event, as native/events/event.cc writes them; NaN for what the source does not know.
const TYPE = 0
const PID = 1
const PPID = 2
const START_TICKS = 3
const PIDFS_INODE = 4
const AT_MS = 5
const LOST = 6
const NAME = 7 // sixteen bytes
const SIGNAL = 9
const SENDER_PID = 10
const SENDER_NAME = 11 // sixteen bytes
const EXIT_CODE = 13
const CORE_DUMPED = 14
const OOM_KILLED = 15
const CPU_NS = 16
const PEAK_RSS_BYTES = 17
const READ_BYTES = 18
const WRITE_BYTES = 19
const LIFETIME_MS = 20
const CELLS = 21
const NAME_BYTES = 16

const FORK = 1
const EXEC = 2
const EXIT = 3
/** Numbers of the types, bits of what is wanted. */
export const TYPE_NUMBERS = { fork: FORK, exec: EXEC, exit: EXIT, signal: 4 } as const

const utf8 = new TextDecoder()

/** Room for events on their way from the addon. */
export class EventCells {
  readonly cells: Float64Array
  readonly #bytes: Uint8Array

  constructor(events: number) {
    this.cells = new Float64Array(events * CELLS)
    this.#bytes = new Uint8Array(this.cells.buffer)
  }

  /** How many events had been lost, in all, when the event was recorded. */
  lostBefore(index: number): number {
    return this.cells[index * CELLS + LOST]!
  }

  event(index: number): LifecycleEvent {
    const at = index * CELLS
    const { cells } = this
    const type = cells[at + TYPE]
    const pid = cells[at + PID]!
    const startTicks = known(cells[at + START_TICKS]!)
    const pidfsInode = known(cells[at + PIDFS_INODE]!)
    const ppid = known(cells[at + PPID]!)
    const name = this.#name(at + NAME)
    const atMs = cells[at + AT_MS]!
    if (type === FORK) return { type: 'fork', pid, startTicks, pidfsInode, ppid, name, atMs }
    if (type === EXEC) return { type: 'exec', pid, startTicks, pidfsInode, ppid, name, atMs }
    const number = known(cells[at + SIGNAL]!)
    const signal = number === undefined ? undefined : nameOf(number)
    const sender = this.#sender(at)
    if (type !== EXIT) {
      return { type: 'signal', pid, startTicks, pidfsInode, ppid, name, atMs, signal: signal!, sender }
    }
    return {
      type: 'exit',
      pid,
      startTicks,
      pidfsInode,
      ppid,
      name,
      atMs,
      exitCode: known(cells[at + EXIT_CODE]!),
      signal,
      coreDumped: truth(cells[at + CORE_DUMPED]!),
      oomKilled: truth(cells[at + OOM_KILLED]!),
      sender,
      cpuTimeNs: known(cells[at + CPU_NS]!),
      peakRssBytes: known(cells[at + PEAK_RSS_BYTES]!),
      readBytes: known(cells[at + READ_BYTES]!),
      writeBytes: known(cells[at + WRITE_BYTES]!),
      lifetimeMs: known(cells[at + LIFETIME_MS]!),
    }
  }

  #sender(at: number): SignalSender | undefined {
    const pid = known(this.cells[at + SENDER_PID]!)
    return pid === undefined ? undefined : { pid, name: this.#name(at + SENDER_NAME) ?? '' }
  }

  /** Undefined for an empty one: that is how an unknown name is written. */
  #name(cell: number): string | undefined {
    const bytes = this.#bytes
    const start = cell * Float64Array.BYTES_PER_ELEMENT
    let text = ''
    for (let i = start; i < start + NAME_BYTES; i++) {
      const byte = bytes[i]!
      if (byte === 0) return text === '' ? undefined : text
      if (byte >= 0x80) return utf8.decode(bytes.subarray(start, this.#nameEnd(start)))
      text += String.fromCharCode(byte)
    }
    return text
  }

  #nameEnd(start: number): number {
    const end = this.#bytes.indexOf(0, start)
    return end === -1 ? start + NAME_BYTES : Math.min(end, start + NAME_BYTES)
  }
}

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value
}

function truth(value: number): boolean | undefined {
  return Number.isNaN(value) ? undefined : value !== 0
}

/** `SIGnn` for 32 and 33, which the C library keeps for itself. */
function nameOf(number: number): string {
  const name = signalName(number)
  return name.startsWith('SIG') ? name : `SIG${number}`
}
