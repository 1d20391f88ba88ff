import { readTexts } from '../inspect/process_facts.js'
import type { ProcessDetails, ProcessRow } from '../table/process.js'

interface Entry {
  readonly generation: number
  details: ProcessDetails | undefined
}

const AT_ONCE = 64

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

  async #readOne(target: { pid: number; startTicks: number }): Promise<ProcessDetails | undefined> {
    const texts = await readTexts(target, ['cmdline', 'exe', 'cgroup'], this.#procRoot)
    if (texts === undefined) return undefined
    const [cmdline, exe, cgroup] = texts
    const args = cmdline === '' ? [] : cmdline?.replace(/\0$/, '').split('\0')
    return { args, commandLine: args?.join(' '), exe, cgroup: cgroup?.trimEnd() }
  }
}
