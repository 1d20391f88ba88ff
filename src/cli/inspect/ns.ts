import { listNamespaces, type NamespaceGroup } from '../../public/find.js'
import { type Namespace, readNamespaces } from '../../public/inspect.js'
import { FaultList } from '../fault.js'
import { printTable, type TextColumn } from '../print_table.js'
import { printJson } from './json.js'
import { lookInto, readPid } from './target.js'
import { warnOfUnreadable } from './unreadable.js'

/** `muster ns` with what the user gave. */
export async function listNamespacesOf(word: string | undefined, raw: { json?: boolean }): Promise<void> {
  if (word === undefined) {
    const { found, unreadable } = await listNamespaces()
    warnOfUnreadable(unreadable)
    return raw.json === true ? printJson(found) : printTable(found, GROUP_COLUMNS)
  }
  const faults = new FaultList()
  const pid = readPid(word, faults)
  faults.throwIfAny()
  const namespaces = await lookInto(pid!, (target) => readNamespaces(target))
  await (raw.json === true ? printJson(namespaces) : printTable(namespaces, COLUMNS))
  const hidden = namespaces.filter(({ id }) => id === undefined).map(({ name }) => name)
  if (hidden.length > 0) {
    // Of a zombie the kernel has given most of them up; of others it lets only see who may trace them.
    const why = 'they may not be read, or the process has ended'
    process.stderr.write(`muster: not known: ${hidden.join(', ')} (${why})\n`)
  }
}

const COLUMNS: readonly TextColumn<Namespace>[] = [
  { heading: 'NAME', align: 'left', text: ({ name }) => name },
  { heading: 'NAMESPACE', align: 'left', text: ({ id }) => id ?? '-' },
]

const GROUP_COLUMNS: readonly TextColumn<NamespaceGroup>[] = [
  { heading: 'NAME', align: 'left', text: ({ name }) => name },
  { heading: 'NAMESPACE', align: 'left', text: ({ id }) => id },
  { heading: 'PROCESSES', align: 'right', text: ({ pids }) => String(pids.length) },
  { heading: 'FIRST', align: 'right', text: ({ pids }) => String(pids[0]) },
]
