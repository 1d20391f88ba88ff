import { constants, open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Document, isMap, isNode, isPair, LineCounter, parseDocument, type YAMLParseError } from 'yaml'
import { EXIT } from './exit_codes.js'
import { FaultList, messageOf } from './fault.js'
import { escapeForTerminal } from './terminal.js'
import { quoted } from './values.js'

const MAX_BYTES = 8 << 20 // ten thousand rules and more; a wrong path to something huge is refused, not read
const MAX_DEPTH = 64
const TOO_DEEP = `the file is nested more than ${MAX_DEPTH} deep`
const PIPE_WAIT_MS = 5000

type Path = readonly PropertyKey[]

/** A YAML file as plain values, and where each of them is written. */
export class YamlFile {
  /** Null for an empty file. */
  readonly value: unknown
  readonly #file: string
  readonly #document: Document
  readonly #lines = new LineCounter()
  readonly #faults = new FaultList()

  private constructor(file: string, text: string) {
    this.#file = file
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: true })
    for (const { code, pos, message } of independent(this.#document.errors)) {
      this.#add(pos[0], worded(code, message))
    }
    this.throwIfAny()
    this.value = this.#plainValue()
    this.throwIfAny()
  }

  /**
   * Reads a file; its faults are one line each, `file:line:column: reason`.
   * @param label how the user has named it, for a file that cannot be read: `--config "x.yaml"`
   */
  static async read(file: string, label: string): Promise<YamlFile> {
    return new YamlFile(file, await readText(file, label))
  }

  /** A fault of the value at a path, or of what should hold it; with a key, of that key. */
  add(path: Path, reason: string, key?: string): void {
    this.#add(key === undefined ? this.#offsetOf(path) : this.#offsetOfKey(path, key), reason)
  }

  throwIfAny(): void {
    this.#faults.throwIfAny()
  }

  #add(offset: number, reason: string): void {
    const { line, col } = this.#lines.linePos(offset)
    this.#faults.add(
      EXIT.config,
      `${escapeForTerminal(this.#file)}:${line}:${col}: ${escapeForTerminal(reason)}`,
    )
  }

  #plainValue(): unknown {
    try {
      const value: unknown = this.#document.toJS({ maxAliasCount: 100 }) ?? null
      // An alias within what it stands for has no end.
      if (isDeeper(value, MAX_DEPTH)) this.#add(0, TOO_DEEP)
      return value
    } catch (error) {
      // Aliases of aliases, which would grow without end, are refused by an exception.
      this.#add(0, messageOf(error))
      return null
    }
  }

  #offsetOf(path: Path): number {
    for (let length = path.length; length > 0; length--) {
      const node = this.#document.getIn(path.slice(0, length), true)
      if (isNode(node) && node.range) return node.range[0]
    }
    return this.#document.contents?.range?.[0] ?? 0
  }

  #offsetOfKey(path: Path, key: string): number {
    const parent = path.length === 0 ? this.#document.contents : this.#document.getIn(path, true)
    const pair = isMap(parent)
      ? parent.items.find((item) => isPair(item) && String(item.key) === key)
      : undefined
    return isNode(pair?.key) && pair.key.range ? pair.key.range[0] : this.#offsetOf(path)
  }
}

/** Up to the first fault of form: what the parser makes of the text behind it is seldom what its author meant. */
function independent(errors: readonly YAMLParseError[]): readonly YAMLParseError[] {
  const first = errors.findIndex(({ code }) => code !== 'DUPLICATE_KEY' && code !== 'MULTIPLE_DOCS')
  return first < 0 ? errors : errors.slice(0, first + 1)
}

function worded(code: string, message: string): string {
  // The library tells its caller how to read several.
  if (code === 'MULTIPLE_DOCS') return "a second document begins here; a file has one, leave out the '---'"
  // Its stack is full, at some thousand levels.
  if (code === 'RESOURCE_EXHAUSTION') return TOO_DEEP
  // In its words `/a[bc]/` within braces is an "Unexpected flow-seq-start at node end".
  if (/^Unexpected .* at node end$/.test(message))
    return 'the value before this has ended; put a text with brackets, braces or quotes in it into quotes as a whole'
  return message
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return depth === 0 || Object.values(value).some((each) => isDeeper(each, depth - 1))
}

/** One byte more than allowed at most. Neither a FIFO without a writer nor an endless device may keep us. */
async function readBounded(file: string): Promise<Buffer> {
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants
  const handle = await open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY)
  try {
    const deadline = performance.now() + PIPE_WAIT_MS
    let buffer = Buffer.alloc(1 << 16)
    for (let length = 0; ; ) {
      try {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null)
        length += bytesRead
        if (bytesRead === 0 || length > MAX_BYTES) return buffer.subarray(0, length)
        if (length === buffer.length) {
          buffer = Buffer.concat([buffer], Math.min(2 * length, MAX_BYTES + 1))
        }
      } catch (error) {
        // A pipe, as of `--config <(command)`, whose other end has yet to write.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || performance.now() > deadline) throw error
        await sleep(20)
      }
    }
  } finally {
    await handle.close()
  }
}

async function readText(file: string, label: string): Promise<string> {
  const faults = new FaultList()
  const bytes = await readBounded(file).catch((error: NodeJS.ErrnoException) => {
    const reasons: Record<string, string> = {
      ENOENT: 'does not exist; correct the path',
      EISDIR: 'is a directory; give a YAML file',
      EACCES: 'is not readable for this user; correct its mode or run as its owner',
      EAGAIN: 'is a pipe into which nobody writes; give a YAML file',
    }
    faults.add(
      EXIT.config,
      `${label} ${reasons[error.code ?? ''] ?? `cannot be read (${error.code ?? error.name})`}`,
    )
    return undefined
  })
  if (bytes && bytes.length > MAX_BYTES)
    faults.add(EXIT.config, `${label} is larger than ${MAX_BYTES >> 20} MiB; is it the right file?`)
  faults.throwIfAny()
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    faults.add(EXIT.config, `${label} is not UTF-8 text; is it the right file?`)
    faults.throwIfAny()
    throw new Error('unreachable')
  }
}

/** How a message names the file that a flag gives. */
export const fileLabel = (flag: string, file: string): string => `${flag} ${quoted(file)}`
