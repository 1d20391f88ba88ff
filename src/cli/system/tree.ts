import { setTimeout as sleep } from 'node:timers/promises'
import { Sampler } from '../../public/sampler.js'
import { RATE_WINDOW_MS } from '../../public/table.js'
import {
  type ProcessTree,
  processTree,
  readThreadNames,
  renderTree,
  type ThreadNames,
  type TreeNode,
} from '../../public/tree.js'
import { EXIT } from '../exit_codes.js'
import { FaultList } from '../fault.js'
import { readPid } from '../inspect/target.js'
import { failUnseen } from '../no_such_process.js'
import { ChunkedWriter } from '../output.js'
import { printTable, type TextColumn } from '../print_table.js'
import { shortBytes } from '../quantities.js'
import { drawsBoxes, escapeForTerminal, safeJson, widthOf } from '../terminal.js'

/** As commander hands them over. */
export interface RawTreeOptions {
  pids?: boolean
  threads?: boolean
  ascii?: boolean
  fold?: boolean
  command?: boolean
  resources?: boolean
  json?: boolean
}

/** `muster tree` with what the user gave. */
export async function drawTree(word: string | undefined, raw: RawTreeOptions): Promise<void> {
  const faults = new FaultList()
  const root = word === undefined ? undefined : readPid(word, faults)
  const { threads = false, command = false, resources = false, json = false } = raw
  if (resources && threads && !json) {
    faults.add(
      EXIT.usage,
      '--threads and --resources exclude each other, and THREADS counts them; give one of them, or --json',
    )
  }
  faults.throwIfAny()
  const tree = await sampleTree(root, { commandLines: command, rates: resources })
  const names = threads ? await readThreadNames(tree) : undefined
  if (json) return printNested(tree, { names, command, resources })
  const ascii = raw.ascii === true || !drawsBoxes()
  if (resources) return printTable([...drawn(tree, ascii)], COLUMNS)
  const text = renderTree(tree, {
    ascii,
    pids: raw.pids === true,
    fold: raw.fold !== false,
    commandLine: command,
    width: widthOf(process.stdout) ?? Number.POSITIVE_INFINITY,
    ...(names !== undefined && { threads: names }),
  })
  process.stdout.write(`${text}\n`)
}

async function sampleTree(
  root: number | undefined,
  { commandLines, rates }: { readonly commandLines: boolean; readonly rates: boolean },
): Promise<ProcessTree> {
  // The bpf source would have to be started for one sample.
  await using sampler = await Sampler.open({ source: 'procfs' })
  let table = await sampler.sample()
  if (rates) {
    await sleep(RATE_WINDOW_MS.procfs)
    table = await sampler.sample()
  }
  if (root !== undefined && table.get(root) === undefined) {
    await failUnseen([root])
  }
  const options = root === undefined ? {} : { root }
  if (!commandLines) return processTree(table, options)
  // Only of those that are shown.
  const shown =
    root === undefined ? table : [...processTree(table, options)].map(({ pid }) => table.get(pid)!)
  await sampler.readDetails(shown)
  return processTree(table, { ...options, commandLines })
}

/** A process, and what is drawn before its name. */
interface Line {
  readonly node: TreeNode
  readonly strokes: string
}

function* drawn(tree: ProcessTree, ascii: boolean): Generator<Line> {
  const [branch, last, through] = ascii ? ['|-', '`-', '| '] : ['├─', '└─', '│ ']
  // What stands before the children of the process at each depth, and how many are still to come.
  const indents: string[] = []
  const toCome: number[] = []
  for (const node of tree) {
    const { depth } = node
    let strokes = ''
    let indent = ''
    if (depth > 0) {
      const isLast = --toCome[depth - 1]! === 0
      const before = indents[depth - 1]!
      strokes = before + (isLast ? last : branch)
      indent = before + (isLast ? '  ' : through)
    }
    indents[depth] = indent
    toCome[depth] = node.children.length
    yield { node, strokes }
  }
}

const cell = (value: number | undefined, text: (value: number) => string): string =>
  value === undefined ? '-' : text(value)

const COLUMNS: readonly TextColumn<Line>[] = [
  { heading: 'PID', align: 'right', text: ({ node }) => String(node.pid) },
  { heading: 'PROCESSES', align: 'right', text: ({ node }) => String(node.subtree.processes) },
  { heading: 'THREADS', align: 'right', text: ({ node }) => cell(node.subtree.threads, String) },
  {
    heading: '%CPU',
    align: 'right',
    text: ({ node }) => cell(node.subtree.cpuPercent, (percent) => percent.toFixed(1)),
  },
  { heading: 'RSS', align: 'right', text: ({ node }) => cell(node.subtree.rssBytes, shortBytes) },
  {
    heading: 'TREE',
    align: 'left',
    text: ({ node, strokes }) => {
      const words = node.args?.length ? node.args.join(' ') : node.name
      return strokes + escapeForTerminal(words)
    },
  },
]

/** Nested objects, written as they come: JSON.stringify takes stack for each level of what may be very deep. */
async function printNested(
  tree: ProcessTree,
  show: { readonly names: ThreadNames | undefined; readonly command: boolean; readonly resources: boolean },
): Promise<void> {
  const writer = new ChunkedWriter(process.stdout)
  let open = 0
  await writer.write('[')
  for (const node of tree) {
    const closed = open - node.depth
    const separator = closed > 0 ? `${']}'.repeat(closed)},\n` : '\n'
    const head = safeJson(recordOf(node, show)).slice(0, -1)
    const full = writer.write(`${separator}${head},"children":[`)
    if (full !== undefined) await full
    open = node.depth + 1
  }
  await writer.write(`${']}'.repeat(open)}\n]\n`)
  await writer.flush()
}

function recordOf(
  node: TreeNode,
  { names, command, resources }: Parameters<typeof printNested>[1],
): Record<string, unknown> {
  const { pid, startTicks, name, uid } = node
  const { processes, threads, cpuPercent, rssBytes } = node.subtree
  const sums = {
    processes,
    threads: threads ?? null,
    cpuPercent: cpuPercent ?? null,
    rssBytes: rssBytes ?? null,
  }
  return {
    pid,
    startTicks,
    name,
    uid: uid ?? null,
    ...(node.detached !== undefined && { detached: node.detached }),
    ...(command && { args: node.args ?? null }),
    // Those with one thread have not been looked at.
    ...(names !== undefined && { threads: names.has(pid) ? (names.get(pid) ?? null) : [] }),
    ...(resources && { subtree: sums }),
  }
}
