import {
  type OpenFile,
  readMemoryMap,
  readOpenFiles,
  readProcFiles,
  readSockets,
  type Socket,
} from '../../public/inspect.js'
import type { ProcessIdentity } from '../../public/table.js'
import { messageOf } from '../fault.js'

/** The links of proc_pid(5) by lsof's names, which stand where a descriptor's number does. */
const LINKS = { cwd: 'cwd', rtd: 'root', txt: 'exe' } as const

/** A file that a process uses, by a descriptor or without one. */
export interface UsedFile extends Partial<Omit<OpenFile, 'fd'>> {
  readonly fd: number | keyof typeof LINKS | 'mem'
  readonly kind: OpenFile['kind']
  readonly target: string
  /** Of a socket, where its network namespace has it. */
  readonly socket?: Socket
}

/** Directory, root and program, then what is mapped where it is wanted, then the descriptors. */
export async function usedFiles(target: ProcessIdentity, withMapped: boolean): Promise<UsedFile[]> {
  const [linked, mapped, opened] = await Promise.all([
    linkedFiles(target),
    withMapped ? mappedFiles(target) : [],
    readOpenFiles(target),
  ])
  const sockets = opened.some(({ kind }) => kind === 'socket') ? await socketsByInode(target) : new Map()
  const own = opened.map((file): UsedFile => {
    const socket: Socket | undefined = file.kind === 'socket' ? sockets.get(file.inode!) : undefined
    return socket === undefined ? file : { ...file, socket }
  })
  return [...linked, ...mapped, ...own]
}

async function linkedFiles(target: ProcessIdentity): Promise<UsedFile[]> {
  const links = Object.entries(LINKS) as [keyof typeof LINKS, string][]
  const read = await readProcFiles(target, { files: links.map(([, name]) => name) })
  return links.flatMap(([fd], index) => {
    const { data, error } = read[index]!
    // A zombie and a kernel thread have none.
    if (error !== undefined) return []
    return [{ fd, kind: fd === 'txt' ? 'file' : 'directory', ...named(data.toString('utf8')) }]
  })
}

async function mappedFiles(target: ProcessIdentity): Promise<UsedFile[]> {
  const paths = new Set<string>()
  for (const { inode, name } of await readMemoryMap(target, { usage: false }))
    if (inode !== 0) paths.add(name)
  return Array.from(paths, (path): UsedFile => ({ fd: 'mem', kind: 'file', ...named(path) }))
}

const named = (target: string) => ({ target, isDeleted: target.endsWith(' (deleted)') })

async function socketsByInode(target: ProcessIdentity): Promise<Map<number, Socket>> {
  try {
    return new Map((await readSockets(target)).map((socket) => [socket.inode, socket]))
  } catch (error) {
    process.stderr.write(`muster: what its sockets are is not known: ${messageOf(error)}\n`)
    return new Map()
  }
}
