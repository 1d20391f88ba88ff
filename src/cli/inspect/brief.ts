import { ProcmusterError } from '../../public/errors.js'
import type { ProcessInfo } from '../../public/inspect.js'
import type { ProcessIdentity, ProcessRow } from '../../public/table.js'

/** What a list of found processes tells of each. */
export type Brief = Pick<
  ProcessRow,
  'pid' | 'startTicks' | 'ppid' | 'user' | 'state' | 'name' | 'rssBytes' | 'commandLine'
>

// A sample reads all processes of the host; a few are read faster by themselves.
const MAX_READ_SINGLY = 16

const loadInspect = () => import('../../public/inspect.js')

/** Loads what `briefsOf` takes while a search goes on. */
export const prepareBriefs = (): void => void loadInspect()

/** Of each, in the same order; undefined of those that have ended. Command lines of many are read only where they are shown. */
export async function briefsOf(
  found: readonly ProcessIdentity[],
  { commandLines }: { readonly commandLines: boolean },
): Promise<(Brief | undefined)[]> {
  if (found.length > MAX_READ_SINGLY) {
    const { Sampler } = await import('../../public/sampler.js')
    await using sampler = await Sampler.open({ source: 'procfs' })
    const table = await sampler.sample()
    const rows = found.map(({ pid, startTicks }) => {
      const row = table.get(pid)
      return row?.startTicks === startTicks ? row : undefined
    })
    if (commandLines) await sampler.readDetails(rows.filter((row) => row !== undefined))
    return rows
  }
  const { inspectProcess } = await loadInspect()
  return Promise.all(
    found.map((identity) =>
      inspectProcess(identity, { sections: [] }).then(brief, (error: unknown) => {
        if (error instanceof ProcmusterError) return undefined
        throw error
      }),
    ),
  )
}

const brief = ({ identity, ppid, user, state, name, usage, args }: ProcessInfo): Brief => ({
  pid: identity.pid,
  startTicks: identity.startTicks,
  ...{ ppid, user, state, name },
  rssBytes: usage.memory?.rssBytes ?? 0, // a kernel thread, or a zombie
  commandLine: args?.join(' '),
})
