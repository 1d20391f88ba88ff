import { checkOptions, ITERABLE, PATH } from '../arguments.js'
import { readProcFiles } from '../inspect/proc_files.js'
import type { ProcessIdentity } from '../table/identity.js'

type Candidate = Pick<ProcessIdentity, 'pid' | 'startTicks'>

/** Who has System V segments mapped. */
export interface SegmentMappers {
  /** By the id of the segment. */
  readonly byId: ReadonlyMap<number, readonly Candidate[]>
  /** Processes whose mappings could not be read, so that they may have some too. */
  readonly unread: readonly Candidate[]
}

const AT_ONCE = 64
const MAX_BYTES = 16 * 1024 * 1024

/**
 * Finds which of these processes have shared memory segments of this process's IPC namespace mapped. Reads the mappings of
 * all of them, off the main thread and each with a time limit: ask for it only when needed.
 */
export async function findSegmentMappers(
  processes: Iterable<Candidate>,
  options: { readonly procRoot?: string } = {},
): Promise<SegmentMappers> {
  ITERABLE('the processes', processes)
  checkOptions(options, { procRoot: PATH })
  const { procRoot = '/proc' } = options
  const candidates = [...processes].map(({ pid, startTicks }) => ({ pid, startTicks }))
  const byId = new Map<number, Candidate[]>()
  const unread: Candidate[] = []
  const here = ipcNamespace((await readProcFiles({ pid: process.pid }, { procRoot, files: ['ns'] }))[0]!.data)
  for (let at = 0; at < candidates.length; at += AT_ONCE) {
    const some = candidates.slice(at, at + AT_ONCE)
    const read = await Promise.all(
      some.map((target) =>
        readProcFiles(target, { procRoot, files: ['maps', 'ns'], maxBytesPerFile: MAX_BYTES }),
      ),
    )
    for (const [index, [maps, namespaces]] of read.entries()) {
      const target = some[index]!
      if (maps!.error !== undefined) {
        if (maps!.error.code !== 'PROCESS_GONE') unread.push(target)
        continue
      }
      const ids = mappedSegments(maps!.data.toString('latin1'))
      if (ids.size === 0 || ipcNamespace(namespaces!.data) !== here) continue
      for (const id of ids) byId.set(id, [...(byId.get(id) ?? []), target])
    }
  }
  return { byId, unread }
}

/** `7f1c... rw-s 00000000 00:01 32768   /SYSV00000000 (deleted)`: the inode is the segment's id. */
export function mappedSegments(maps: string): Set<number> {
  const lines = maps.matchAll(/^\S+ \S+ \S+ 00:\S+ (\d+) +\/SYSV[0-9a-f]{8}(?: \(deleted\))?$/gm)
  return new Set([...lines].map(([, inode]) => Number(inode)))
}

const ipcNamespace = (namespaces: Buffer): string | undefined =>
  /^ipc (\S+)$/m.exec(namespaces.toString('latin1'))?.[1]
