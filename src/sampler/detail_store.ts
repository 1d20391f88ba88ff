import { readProcFiles } from '../inspect/proc_files.js'
import type { ProcessDetails, ProcessRow } from '../table/process.js'

interface Entry {
  readonly generation: number
  details: ProcessDetails | undefined
}

const AT_ONCE = 64
// Of each file. A command line can be megabytes long; the rest of such a one tells nothing that decides.
const MAX_BYTES = 128 * 1024

/** Command lines, programs and control groups by slot: read when asked for, once per life and again after an exec. */
export class DetailStore {
  readonly #procRoot: string
  readonly #entries = new Map<number, Entry>()

  constructor(procRoot: string) {
    this.#procRoot = procRoot
  }

  get(slot: number, generation: number): ProcessDetails | undefined {
    const entry = this.#entries.get(slot)
    return entry?.generation === generation ? entry.details : undefined
  }

  /** The process runs another program now; what is being read of the old one is thrown away too. */
  drop(slot: number): void {
    this.#entries.delete(slot)
  }

  async read(rows: Iterable<ProcessRow>): Promise<void> {
    const wanted: { slot: number; pid: number; startTicks: number; entry: Entry }[] = []
    for (const { slot, generation, pid, startTicks } of rows) {
      if (this.#entries.get(slot)?.generation === generation) continue
      const entry: Entry = { generation, details: undefined }
      this.#entries.set(slot, entry)
      wanted.push({ slot, pid, startTicks, entry })
    }
    for (let i = 0; i < wanted.length; i += AT_ONCE) {
      await Promise.all(
        wanted.slice(i, i + AT_ONCE).map(async ({ slot, entry, ...target }) => {
          const details = await this.#readOne(target)
          if (this.#entries.get(slot) !== entry) return
          if (details === undefined) this.#entries.delete(slot)
          else entry.details = details
        }),
      )
    }
  }

  /** Undefined when it took too long: worth another try later. What may not be read is undefined for good. */
  async #readOne(target: { pid: number; startTicks: number }): Promise<ProcessDetails | undefined> {
    const [cmdline, exe, cgroup] = await readProcFiles(target, {
      procRoot: this.#procRoot,
      files: ['cmdline', 'exe', 'cgroup'],
      maxBytesPerFile: MAX_BYTES,
    })
    if (cmdline!.error?.code === 'TIMEOUT') return undefined
    const text = cmdline!.error === undefined ? cmdline!.data.toString('utf8') : undefined
    const args = text === '' ? [] : text?.replace(/\0$/, '').split('\0')
    return {
      args,
      commandLine: args?.join(' '),
      exe: exe!.error === undefined ? exe!.data.toString('utf8') : undefined,
      cgroup: cgroup!.error === undefined ? cgroup!.data.toString('utf8').trimEnd() : undefined,
    }
  }
}
