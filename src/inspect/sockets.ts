import { endianness } from 'node:os'
import { type Checks, checkOptions, checkProcess, listOf, MILLISECONDS, oneOf, PATH } from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import type { ProcessIdentity } from '../table/identity.js'
import { mapParts } from './map_parts.js'
import { type ProcFile, readProcFiles } from './proc_files.js'

/** Kinds of sockets that are listed. */
export type SocketProtocol = 'tcp' | 'tcp6' | 'udp' | 'udp6' | 'unix'

/** One socket of a network namespace, proc_pid_net(5). */
export interface Socket {
  readonly protocol: SocketProtocol
  /** Numbered as in `socket:[42]`; 0 when no process has it any more, as in TIME_WAIT. */
  readonly inode: number
  /** `LISTEN`, `ESTABLISHED`, ...; of udp `UNCONNECTED` or `ESTABLISHED`; of unix `LISTEN`, `UNCONNECTED`, `CONNECTING`, `CONNECTED`. */
  readonly state: string
  /** `127.0.0.1`, `::1`; of unix the path, with `@` for the abstract name, and undefined for none. Hostile. */
  readonly localAddress: string | undefined
  /** Undefined for unix. */
  readonly localPort: number | undefined
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  /** Of who made it; undefined for unix. */
  readonly uid: number | undefined
  /** Bytes not yet read by the process; of a listening one, connections not yet accepted. */
  readonly receiveQueue: number | undefined
  /** Bytes not yet acknowledged by the other side. */
  readonly sendQueue: number | undefined
  /** Of unix: `stream`, `dgram`, `seqpacket`. */
  readonly type?: string
}

/** Options of `readSockets`. */
export interface SocketsOptions {
  readonly procRoot?: string
  /** Default: all. */
  readonly protocols?: readonly SocketProtocol[]
  /** Default 5000. */
  readonly timeoutMs?: number
}

const SOCKET_PROTOCOLS: readonly SocketProtocol[] = ['tcp', 'tcp6', 'udp', 'udp6', 'unix']

// Lines of 150 bytes; more sockets than these have no host.
const MAX_BYTES = 512 * 1024 * 1024

// include/net/tcp_states.h, from 1.
const TCP_STATES = [
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT1',
  'FIN_WAIT2',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'CLOSING',
  'NEW_SYN_RECV',
]
// include/uapi/linux/net.h: socket_state.
const UNIX_STATES = ['FREE', 'UNCONNECTED', 'CONNECTING', 'CONNECTED', 'DISCONNECTING']
const UNIX_TYPES: Readonly<Record<string, string>> = {
  '0001': 'stream',
  '0002': 'dgram',
  '0005': 'seqpacket',
}
const SO_ACCEPTCON = 0x10000

export const SOCKETS_CHECKS: Checks<SocketsOptions> = {
  procRoot: PATH,
  protocols: listOf(oneOf(SOCKET_PROTOCOLS)),
  timeoutMs: MILLISECONDS,
}

/**
 * The sockets of the network namespace that the target is in, whoever has them open.
 * @throws ProcmusterError `PROCESS_GONE`, `NOT_FOUND` where proc is not mounted, `ACCESS_DENIED`, `TIMEOUT`, `UNSUPPORTED` when more
 * sockets are there than can be read
 */
export async function readSockets(
  target: Pick<ProcessIdentity, 'pid'> & { readonly startTicks?: number },
  options: SocketsOptions = {},
): Promise<Socket[]> {
  checkProcess(target)
  checkOptions(options, SOCKETS_CHECKS)
  return readSocketsOf(target, options, () => true)
}

/** The same of those lines alone that may be meant: to take each of many apart costs most of the time. */
export async function readSocketsOf(
  target: Pick<ProcessIdentity, 'pid'> & { readonly startTicks?: number },
  { procRoot = '/proc', protocols = SOCKET_PROTOCOLS, timeoutMs = 5000 }: SocketsOptions,
  mayBeMeant: (line: string) => boolean,
): Promise<Socket[]> {
  const sockets: Socket[] = []
  const files = await readNet(target, protocols, { procRoot, timeoutMs })
  for (const [index, { data, error, truncated }] of files.entries()) {
    // A kernel without IPv6 has no such file.
    if (error?.code === 'NOT_FOUND') continue
    if (error !== undefined) throw error
    if (truncated) {
      const message = `${procRoot}/${target.pid}/net/${protocols[index]} is longer than ${MAX_BYTES} bytes`
      throw new ProcmusterError('UNSUPPORTED', { message, pid: target.pid })
    }
    const protocol = protocols[index]!
    const parse = protocol === 'unix' ? parseUnix : (line: string) => parseInet(protocol, line)
    const made = await mapParts(data, '\n', (line) => (mayBeMeant(line) ? parse(line) : undefined))
    for (const socket of made) sockets.push(socket)
  }
  return sockets
}

/** The files of these protocols, by a thread that lives: an ended one that nobody has waited for is in no namespace any more. */
async function readNet(
  target: Pick<ProcessIdentity, 'pid'> & { readonly startTicks?: number },
  protocols: readonly SocketProtocol[],
  options: { readonly procRoot: string; readonly timeoutMs: number },
): Promise<ProcFile[]> {
  const [task] = await readProcFiles(target, { ...options, files: ['task'] })
  if (task!.error !== undefined) {
    if (target.pid !== process.pid || task!.error.code !== 'PROCESS_GONE') throw task!.error
    const message = `${options.procRoot} does not have this process; is proc mounted there?`
    throw new ProcmusterError('NOT_FOUND', { message, path: options.procRoot })
  }
  const tids = task!.data.toString('utf8').split('\n').filter(Boolean)
  for (const tid of tids) {
    // Every namespace has the last one.
    const names = [...protocols, 'dev'].map((name) => `task/${tid}/net/${name}`)
    const files = await readProcFiles(target, { ...options, files: names, maxBytesPerFile: MAX_BYTES })
    if (files.pop()!.error?.code !== 'NOT_FOUND') return files
  }
  const message = `process ${target.pid} has ended, and is in no network namespace any more`
  throw new ProcmusterError('PROCESS_GONE', { message, ...target })
}

/** `sl local rem st tx:rx tr:when retrnsmt uid timeout inode ...`, proc_net_tcp(5); undefined for the heading. */
function parseInet(protocol: Exclude<SocketProtocol, 'unix'>, line: string): Socket | undefined {
  const words = line.trim().split(/ +/, 10)
  const [slot, local, remote, state, queues, , , uid, , inode] = words
  if (inode === undefined || !/^\d+:$/.test(slot!)) return undefined
  const [localAddress, localPort] = parseEndpoint(local!)
  const [remoteAddress, remotePort] = parseEndpoint(remote!)
  const [send, receive] = queues!.split(':')
  const named = TCP_STATES[Number.parseInt(state!, 16) - 1] ?? state!
  return {
    protocol,
    inode: Number(inode),
    state: protocol.startsWith('udp') && named === 'CLOSE' ? 'UNCONNECTED' : named,
    localAddress,
    localPort,
    remoteAddress,
    remotePort,
    uid: Number(uid),
    receiveQueue: Number.parseInt(receive!, 16),
    sendQueue: Number.parseInt(send!, 16),
  }
}

/** `Num: RefCount Protocol Flags Type St Inode Path`, proc_net_unix(5). */
function parseUnix(line: string): Socket | undefined {
  const found = /^[0-9a-f]+: \S+ \S+ (\S+) (\S+) (\S+) +(\d+)(?: (.*))?$/s.exec(line)
  if (found === null) return undefined
  const [, flags, type, state, inode, path] = found
  const listens = (Number.parseInt(flags!, 16) & SO_ACCEPTCON) !== 0
  return {
    protocol: 'unix',
    inode: Number(inode),
    state: listens ? 'LISTEN' : (UNIX_STATES[Number.parseInt(state!, 16)] ?? state!),
    localAddress: path,
    localPort: undefined,
    remoteAddress: undefined,
    remotePort: undefined,
    uid: undefined,
    receiveQueue: undefined,
    sendQueue: undefined,
    type: UNIX_TYPES[type!] ?? type!,
  }
}

const IS_LITTLE = endianness() === 'LE'

// Each four bytes of an address are a number in the processor's order.
function parseEndpoint(text: string): [address: string, port: number] {
  const colon = text.indexOf(':')
  const bytes = Buffer.from(text.slice(0, colon), 'hex')
  if (IS_LITTLE) bytes.swap32()
  return [
    bytes.length === 4 ? bytes.join('.') : formatIpv6(bytes),
    Number.parseInt(text.slice(colon + 1), 16),
  ]
}

/** As RFC 5952 has it. */
function formatIpv6(bytes: Buffer): string {
  const isMapped = bytes.readUInt16BE(10) === 0xffff && bytes.subarray(0, 10).every((byte) => byte === 0)
  if (isMapped) return `::ffff:${bytes.subarray(12).join('.')}`
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16))
  const [longest] = [...groups.join(':').matchAll(/\b0(?::0)+\b/g)].sort((a, b) => b[0].length - a[0].length)
  const text = groups.join(':')
  if (longest === undefined) return text
  const before = text.slice(0, longest.index).replace(/:$/, '')
  const after = text.slice(longest.index + longest[0].length).replace(/^:/, '')
  return `${before}::${after}`
}
