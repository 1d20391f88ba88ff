import { findPipePeers, type OpenFile, type PipePeers, readOpenFiles } from '../../public/inspect.js'
import { FaultList } from '../fault.js'
import { printTable, type TextColumn } from '../print_table.js'
import { shortBytes } from '../quantities.js'
import { escapeForTerminal } from '../terminal.js'
import { printJson } from './json.js'
import { lookInto, readPid } from './target.js'
import { warnOfUnreadable } from './unreadable.js'

/** `muster files` with what the user gave. */
export async function listFiles(
  word: string | undefined,
  raw: { peers?: boolean; json?: boolean },
): Promise<void> {
  const faults = new FaultList()
  const pid = readPid(word, faults)
  faults.throwIfAny()
  if (raw.peers === true) {
    const { found, unreadable } = await lookInto(pid!, (target) => findPipePeers(target))
    warnOfUnreadable(unreadable)
    return raw.json === true ? printJson(found) : printTable(found, PEER_COLUMNS)
  }
  const files = await lookInto(pid!, (target) => readOpenFiles(target))
  return raw.json === true ? printJson(files) : printTable(files, COLUMNS)
}

const LETTERS = { read: 'r', write: 'w', both: 'rw', path: 'p' } as const

const COLUMNS: readonly TextColumn<OpenFile>[] = [
  { heading: 'FD', align: 'right', text: ({ fd }) => String(fd) },
  { heading: 'ACCESS', align: 'left', text: ({ access }) => (access ? LETTERS[access] : '-') },
  { heading: 'KIND', align: 'left', text: ({ kind }) => kind },
  {
    heading: 'SIZE',
    align: 'right',
    text: ({ kind, sizeBytes }) => (kind === 'file' && sizeBytes !== undefined ? shortBytes(sizeBytes) : '-'),
  },
  { heading: 'POSITION', align: 'right', text: ({ position }) => String(position ?? '-') },
  {
    heading: 'FLAGS',
    align: 'left',
    text: ({ flags }) => flags?.join(',').replaceAll('O_', '').toLowerCase() || '-',
  },
  { heading: 'TARGET', align: 'left', text: ({ target }) => escapeForTerminal(target) },
]

const ends = (list: readonly { fd: number; access: 'read' | 'write' | 'both' | undefined }[]): string =>
  list.map(({ fd, access }) => `${fd}${access ? LETTERS[access] : ''}`).join(',')

const PEER_COLUMNS: readonly TextColumn<PipePeers>[] = [
  { heading: 'PIPE', align: 'right', text: ({ inode }) => String(inode) },
  { heading: 'FD', align: 'left', text: ({ own }) => ends(own) },
  {
    heading: 'OTHERS',
    align: 'left',
    text: ({ peers }) => peers.map((peer) => `pid ${peer.identity.pid} fd ${ends([peer])}`).join('; ') || '-',
  },
]
