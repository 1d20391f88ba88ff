import { findPipePeers, findSocketPeers, type PipePeers, type SocketPeers } from '../../public/find.js'
import type { Socket } from '../../public/inspect.js'
import type { ProcessIdentity } from '../../public/table.js'
import { FaultList, messageOf } from '../fault.js'
import { printTable, type TextColumn } from '../print_table.js'
import { shortBytes } from '../quantities.js'
import { escapeForTerminal } from '../terminal.js'
import { endpoint } from './endpoint.js'
import { printJson } from './json.js'
import { lookInto, readPid } from './target.js'
import { warnOfUnreadable } from './unreadable.js'
import { type UsedFile, usedFiles } from './used_files.js'

/** `muster files` with what the user gave. */
export async function listFiles(
  word: string | undefined,
  raw: { peers?: boolean; all?: boolean; json?: boolean },
): Promise<void> {
  const faults = new FaultList()
  const pid = readPid(word, faults)
  faults.throwIfAny()
  if (raw.peers === true) return lookInto(pid!, (target) => listPeers(target, raw.json === true))
  const files = await lookInto(pid!, (target) => usedFiles(target, raw.all === true))
  if (files.length === 0) {
    process.stderr.write(`muster: PID ${pid} has no files: it is a kernel thread, or has ended\n`)
  }
  return raw.json === true ? printJson(files) : printTable(files, COLUMNS)
}

const LETTERS = { read: 'r', write: 'w', both: 'rw', path: 'p' } as const

const COLUMNS: readonly TextColumn<UsedFile>[] = [
  { heading: 'FD', align: 'right', text: ({ fd }) => String(fd) },
  { heading: 'ACCESS', align: 'left', text: ({ access }) => (access ? LETTERS[access] : '-') },
  { heading: 'KIND', align: 'left', text: ({ kind }) => kind },
  {
    heading: 'SIZE',
    align: 'right',
    text: ({ kind, sizeBytes }) => (kind === 'file' && sizeBytes !== undefined ? shortBytes(sizeBytes) : '-'),
  },
  { heading: 'POSITION', align: 'right', isExtra: true, text: ({ position }) => String(position ?? '-') },
  {
    heading: 'FLAGS',
    align: 'left',
    isExtra: true,
    text: ({ flags }) => flags?.join(',').replaceAll('O_', '').toLowerCase() || '-',
  },
  {
    heading: 'TARGET',
    align: 'left',
    text: ({ target, socket }) => escapeForTerminal(socket === undefined ? target : socketText(socket)),
  },
]

function socketText({ protocol, type, state, inode, ...ends }: Socket): string {
  if (protocol === 'unix') return `unix ${type} ${state} ${ends.localAddress ?? `socket:[${inode}]`}`
  const to = ends.remotePort === 0 ? '' : ` - ${endpoint(ends.remoteAddress, ends.remotePort)}`
  return `${protocol} ${state} ${endpoint(ends.localAddress, ends.localPort)}${to}`
}

async function listPeers(target: ProcessIdentity, json: boolean): Promise<void> {
  const [pipes, sockets] = await Promise.all([findPipePeers(target), findSocketPeers(target)])
  const blind = new Map([...pipes.unreadable, ...sockets.unreadable].map((each) => [each.pid, each]))
  warnOfUnreadable([...blind.values()])
  const reason = sockets.found.find(({ error }) => error !== undefined)?.error
  if (reason !== undefined) {
    process.stderr.write(
      `muster: who is connected with its unix sockets is not known: ${messageOf(reason)}\n`,
    )
  }
  if (json) return printJson({ pipes: pipes.found, sockets: sockets.found.map(socketJson) })
  const lines = [...pipes.found.map(pipeLine), ...sockets.found.map(socketLine)]
  const rows = lines.flatMap(({ others, ...line }) =>
    (others.length > 0 ? others : ['-']).map((other) => ({ ...line, other })),
  )
  return printTable(rows, PEER_COLUMNS)
}

const socketJson = ({ error, ...rest }: SocketPeers) =>
  error === undefined ? rest : { ...rest, error: { code: error.code, reason: error.message } }

interface PeerLine {
  readonly what: string
  readonly own: string
  readonly others: readonly string[]
}

const ends = (list: readonly { fd: number; access: 'read' | 'write' | 'both' | undefined }[]): string =>
  list.map(({ fd, access }) => `${fd}${access ? LETTERS[access] : ''}`).join(',')

const pipeLine = ({ inode, own, peers }: PipePeers): PeerLine => ({
  what: `pipe ${inode}`,
  own: ends(own),
  others: peers.map((peer) => `pid ${peer.identity.pid} fd ${ends([peer])}`),
})

const socketLine = ({ socket, peers }: SocketPeers): PeerLine => ({
  what:
    socket.protocol === 'unix'
      ? `unix ${socket.localAddress ?? socket.inode}`
      : `${socket.protocol} ${endpoint(socket.localAddress, socket.localPort)} - ${endpoint(socket.remoteAddress, socket.remotePort)}`,
  own: socket.fds.join(','),
  others: peers.map(({ identity, fd }) => `pid ${identity.pid} fd ${fd}`),
})

// What a narrow terminal cuts is the last one: a name may be cut, a pid not.
const PEER_COLUMNS: readonly TextColumn<{ own: string; other: string; what: string }>[] = [
  { heading: 'FD', align: 'left', text: ({ own }) => own },
  { heading: 'OTHER', align: 'left', text: ({ other }) => other },
  { heading: 'WHAT', align: 'left', text: ({ what }) => escapeForTerminal(what) },
]
