import { ProcmusterError } from '../../public/errors.js'
import { findProcesses, needsTable, type ProcessQuery } from '../../public/find.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail, messageOf } from '../fault.js'
import { printTable, type TextColumn } from '../print_table.js'
import { escapeForTerminal } from '../terminal.js'
import { requireUser } from '../users.js'
import { PID_MAX, quoted, readNumber, readStates, readText } from '../values.js'
import { type Brief, briefsOf, prepareBriefs } from './brief.js'
import { printJson } from './json.js'
import { warnOfUnreadable } from './unreadable.js'

/** As commander hands them over. */
export interface RawFindOptions {
  name?: string
  command?: string
  user?: string
  state?: string
  session?: string
  pgroup?: string
  port?: string
  file?: string
  deleted?: true
  library?: string
  namespace?: string
  cgroup?: string
  unit?: string
  pids?: boolean
  json?: boolean
}

/** `muster find` with what the user gave. */
export async function findAll(raw: RawFindOptions): Promise<void> {
  const faults = new FaultList()
  const read = readQuery(raw, faults)
  const namespace = raw.namespace === undefined ? undefined : readNamespace(raw.namespace, faults)
  const asked = read.user === undefined ? read : { ...read, user: await requireUser(read.user, faults) }
  faults.throwIfAny()
  const query = namespace === undefined ? asked : { ...asked, namespace: await idOf(namespace) }
  if (Object.values(query).every((each) => each === undefined)) {
    fail(
      EXIT.usage,
      'it is not said what to find; give --name, --command, --port, ...; `muster ps` lists all',
    )
  }
  await using sampler = needsTable(query) ? await openSampler() : undefined
  if (sampler === undefined && raw.pids !== true) prepareBriefs()
  const table = await sampler?.sample()
  const { found: all, unreadable } = await findProcesses(table, query).catch((error: unknown) =>
    refuse(error, query),
  )
  // Its own command line has the pattern, so that it would always be found: pgrep leaves itself out too.
  const found = all.filter(({ pid }) => pid !== process.pid)
  warnOfUnreadable(unreadable)
  if (found.length === 0) {
    if (raw.json === true && raw.pids !== true) printJson([])
    fail(EXIT.noSuchProcess, 'no process for which all of it holds; `muster ps` lists all')
  }
  if (raw.pids === true && raw.json === true) return printJson(found.map(({ pid }) => pid))
  if (raw.pids === true) {
    process.stdout.write(found.map(({ pid }) => `${pid}\n`).join(''))
    return
  }
  const rows = table && found.flatMap(({ pid }) => table.get(pid) ?? [])
  if (rows) await sampler!.readDetails(rows)
  const briefs = rows ?? (await briefsOf(found, { commandLines: true })).filter((each) => each !== undefined)
  return raw.json === true ? printJson(briefs.map(toJson)) : printTable(briefs, COLUMNS)
}

/** The lists of files come from /proc; the bpf source would have to be started for one sample. */
async function openSampler() {
  const { Sampler } = await import('../../public/sampler.js')
  return Sampler.open({ source: 'procfs' })
}

function refuse(error: unknown, { file, commandLine, cgroup, unit, namespace }: ProcessQuery): never {
  const code = error instanceof ProcmusterError ? error.code : undefined
  if (code === 'NOT_FOUND' && file !== undefined && (error as ProcmusterError).path === file) {
    fail(
      EXIT.noSuchProcess,
      `--file: ${messageOf(error)}, no such file; a deleted one shows in \`muster files PID\``,
    )
  }
  if (code !== 'INVALID_ARGUMENT') throw error
  // It begins with the value that could not be understood.
  const { message } = error as ProcmusterError
  const flags = { '--command': commandLine, '--cgroup': cgroup, '--unit': unit, '--namespace': namespace }
  const bad = Object.entries(flags).find(
    ([, value]) => value !== undefined && message.startsWith(JSON.stringify(value)),
  )
  fail(EXIT.malformed, `${bad === undefined ? '' : `${bad[0]} `}${messageOf(error)}`)
}

function readQuery(raw: RawFindOptions, faults: FaultList): ProcessQuery {
  const text = (value: string | undefined, flag: string, wanted: string) =>
    value === undefined ? undefined : readText(value, flag, wanted, faults)
  const leader = (value: string | undefined, flag: string) => {
    const wanted = `the PID of who leads it, as in \`muster ps --columns pid,sid,pgid\``
    return value === undefined
      ? undefined
      : readNumber(value, { flag, wanted, min: 0, max: PID_MAX, integer: true }, faults)
  }
  const port = { flag: '--port', wanted: 'a port from 1 to 65535', min: 1, max: 65_535, integer: true }
  const query = {
    name: text(raw.name, '--name', 'a part of a process name'),
    commandLine: text(raw.command, '--command', 'a pattern such as "java .*-jar app"'),
    user: text(raw.user, '--user', 'a user name or uid'),
    state: raw.state === undefined ? undefined : readStates(raw.state, faults),
    session: leader(raw.session, '--session'),
    processGroup: leader(raw.pgroup, '--pgroup'),
    port: raw.port === undefined ? undefined : readNumber(raw.port, port, faults),
    file: text(raw.file, '--file', 'a path'),
    deleted: raw.deleted,
    library: text(raw.library, '--library', 'a path, or a name such as libssl'),
    cgroup: text(raw.cgroup, '--cgroup', 'a glob such as "/system.slice/*"'),
    unit: text(raw.unit, '--unit', 'a glob such as "nginx*"'),
  }
  return query as ProcessQuery
}

interface NamespaceWord {
  readonly kind: string
  readonly number: number
  readonly isInode: boolean
}

const NAMESPACE = 'KIND:[INODE] or KIND:PID, such as "net:[4026531840]", or net:1234 for that of process 1234'

function readNamespace(word: string, faults: FaultList): NamespaceWord | undefined {
  const [, kind, bracketed, plain] = /^([a-z]+):(?:\[(\d+)\]|(\d+))$/.exec(word) ?? []
  if (kind !== undefined) {
    const number = Number(bracketed ?? plain)
    // Inodes of namespaces begin far above all PIDs.
    return { kind, number, isInode: bracketed !== undefined || number > PID_MAX }
  }
  return faults.add(EXIT.malformed, `--namespace ${quoted(word)} is none; give ${NAMESPACE}`)
}

/** As the kernel writes it. */
async function idOf({ kind, number, isInode }: NamespaceWord): Promise<string> {
  if (isInode) return `${kind}:[${number}]`
  const { lookInto } = await import('./target.js')
  const { readNamespaces } = await import('../../public/inspect.js')
  const namespaces = await lookInto(number, (target) => readNamespaces(target))
  const found = namespaces.find(({ name }) => name === kind)
  if (found?.id !== undefined) return found.id
  const kinds = namespaces.map(({ name }) => name).join(', ')
  fail(
    found === undefined ? EXIT.malformed : EXIT.permission,
    `--namespace ${kind}:${number}: process ${number} has none of that kind, or none that may be read; it has ${kinds}`,
  )
}

const toJson = (row: Brief) => ({
  pid: row.pid,
  startTicks: row.startTicks,
  ppid: row.ppid,
  user: row.user,
  state: row.state,
  name: row.name,
  rssBytes: row.rssBytes,
  commandLine: row.commandLine,
})

const COLUMNS: readonly TextColumn<Brief>[] = [
  { heading: 'PID', align: 'right', text: ({ pid }) => String(pid) },
  { heading: 'USER', align: 'left', text: ({ user }) => escapeForTerminal(user ?? '-') },
  { heading: 'STATE', align: 'left', text: ({ state }) => state },
  { heading: 'NAME', align: 'left', text: ({ name }) => escapeForTerminal(name) || '-' },
  { heading: 'COMMAND', align: 'left', text: ({ commandLine }) => escapeForTerminal(commandLine || '-') },
]
