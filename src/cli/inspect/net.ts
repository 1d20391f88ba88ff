import { findSocketOwners } from '../../public/find.js'
import { readConnections, readSockets, type Socket } from '../../public/inspect.js'
import { EXIT } from '../exit_codes.js'
import { FaultList } from '../fault.js'
import { printTable, type TextColumn } from '../print_table.js'
import { didYouMean } from '../suggest.js'
import { escapeForTerminal } from '../terminal.js'
import { quoted, splitList } from '../values.js'
import { endpoint } from './endpoint.js'
import { printJson } from './json.js'
import { PROTOCOLS } from './protocols.js'
import { lookInto, readPid } from './target.js'
import { warnOfUnreadable } from './unreadable.js'

/** As commander hands them over. */
export interface RawNetOptions {
  listen?: boolean
  protocol?: string
  json?: boolean
}

type Protocol = (typeof PROTOCOLS)[number]
interface OwnedSocket extends Socket {
  readonly owners: readonly { readonly pid: number; readonly fd: number }[]
}

/** `muster net` with what the user gave. */
export async function listSockets(word: string | undefined, raw: RawNetOptions): Promise<void> {
  const faults = new FaultList()
  const pid = word === undefined ? undefined : readPid(word, faults)
  const protocols = readProtocols(raw.protocol, faults)
  faults.throwIfAny()
  const all = pid === undefined ? await ofNamespace(protocols) : await ofProcess(pid, protocols)
  const sockets = raw.listen === true ? all.filter(isListening) : all
  if (sockets.length === 0 && pid !== undefined) {
    process.stderr.write(`muster: PID ${pid} has no ${raw.listen || raw.protocol ? 'such ' : ''}sockets\n`)
  }
  return raw.json === true ? printJson(sockets) : printTable(sockets, COLUMNS)
}

function readProtocols(list: string | undefined, faults: FaultList): readonly Protocol[] | undefined {
  if (list === undefined) return undefined
  const words = splitList(list)
  if (words.length === 0)
    faults.add(EXIT.malformed, `--protocol is empty; give some of ${PROTOCOLS.join(', ')}`)
  return words.flatMap((word) => {
    const protocol = PROTOCOLS.find((each) => each === word)
    const hint = `${didYouMean(word, PROTOCOLS)}; give some of ${PROTOCOLS.join(', ')}`
    return protocol ?? faults.add(EXIT.malformed, `--protocol ${quoted(word)} is not known${hint}`) ?? []
  })
}

async function ofProcess(pid: number, protocols: readonly Protocol[] = PROTOCOLS): Promise<OwnedSocket[]> {
  const connections = await lookInto(pid, (target) => readConnections(target, { protocols }))
  return connections.map(({ fds, ...socket }) => ({ ...socket, owners: fds.map((fd) => ({ pid, fd })) }))
}

async function ofNamespace(
  protocols: readonly Protocol[] = PROTOCOLS.filter((each) => each !== 'unix'),
): Promise<OwnedSocket[]> {
  const sockets = await readSockets({ pid: process.pid }, { protocols })
  const inodes = sockets.map(({ inode }) => inode).filter((inode) => inode !== 0)
  const { found, unreadable } = await findSocketOwners(inodes)
  warnOfUnreadable(unreadable)
  const owners = new Map<number, { pid: number; fd: number }[]>()
  for (const { identity, fd, inode } of found) {
    const same = owners.get(inode) ?? []
    same.push({ pid: identity.pid, fd })
    owners.set(inode, same)
  }
  return sockets.map((socket) => ({ ...socket, owners: owners.get(socket.inode) ?? [] }))
}

/** A datagram socket that is bound and talks to nobody in particular is open to all, as a listening one is. */
const isListening = ({ state, protocol, localPort }: Socket): boolean =>
  state === 'LISTEN' || (protocol.startsWith('udp') && state === 'UNCONNECTED' && localPort !== 0)

const COLUMNS: readonly TextColumn<OwnedSocket>[] = [
  { heading: 'PROTOCOL', align: 'left', text: ({ protocol }) => protocol },
  {
    heading: 'STATE',
    align: 'left',
    text: ({ state, type }) => (type === undefined ? state : `${state} ${type}`),
  },
  {
    heading: 'RECV-Q',
    align: 'right',
    isExtra: true,
    text: ({ receiveQueue }) => String(receiveQueue ?? '-'),
  },
  { heading: 'SEND-Q', align: 'right', isExtra: true, text: ({ sendQueue }) => String(sendQueue ?? '-') },
  {
    heading: 'LOCAL',
    align: 'left',
    text: ({ localAddress, localPort }) => escapeForTerminal(endpoint(localAddress, localPort)),
  },
  {
    heading: 'REMOTE',
    align: 'left',
    text: ({ remoteAddress, remotePort }) => escapeForTerminal(endpoint(remoteAddress, remotePort)),
  },
  {
    heading: 'WHO',
    align: 'left',
    text: ({ owners }) => owners.map(({ pid, fd }) => `pid ${pid} fd ${fd}`).join(', ') || '-',
  },
]
