import { constants, open, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { type Bytes, type FileIdentity, fromBytes, type StartSpec, toBytes } from '../spawn/start_spec.js'

/** What was seen of a process; `path`, `device` and `inode` are its executable's. */
interface ProgramFacts extends FileIdentity {
  readonly path: Bytes
  readonly name: string
  readonly arguments: readonly Bytes[]
  readonly environment: readonly Bytes[]
  readonly directory: Bytes
}

const NAME_LENGTH = 15 // TASK_COMM_LEN without its zero byte
const MAX_SHEBANG = 256 // BINPRM_BUF_SIZE
const SETUID_OR_SETGID = 0o6000
const EXECUTABLE_BY_ALL = 0o111

/**
 * How to execute it so that the new process has the name of the old one, which rules go by: the kernel takes it from
 * the path, and what `/proc` calls the executable is where the links of that path led (`python3` to `python3.11`), or
 * the interpreter of a script.
 */
export async function programToStart(
  facts: ProgramFacts,
): Promise<Pick<StartSpec, 'path' | 'namedPath' | 'executable' | 'arguments'>> {
  const { path, device, inode, arguments: args } = facts
  const asSeen = { path, executable: { device, inode }, arguments: args }
  if (nameOf(fromBytes(path).toString()) === facts.name) return asSeen
  for (const candidate of pathsOf(facts)) {
    const found = await stat(candidate).catch(() => undefined)
    if (found !== undefined && found.dev === device && found.ino === inode) {
      return { ...asSeen, namedPath: toBytes(Buffer.from(candidate)) }
    }
  }
  return (await asScript(facts, 1)) ?? (await asScript(facts, 2)) ?? asSeen
}

/** Where `argv[0]` can have led to, as far as it bears the name. */
function pathsOf({ name, arguments: args, environment, directory }: ProgramFacts): string[] {
  const [program] = args
  if (typeof program !== 'string' || nameOf(program) !== name) return []
  if (program.includes('/')) return [resolve(fromBytes(directory).toString(), program)]
  const search = environment.find((entry) => typeof entry === 'string' && entry.startsWith('PATH='))
  const directories = typeof search === 'string' ? search.slice('PATH='.length).split(':') : []
  return directories.filter((each) => each.startsWith('/')).map((each) => `${each}/${program}`)
}

/**
 * The script in `args[at]`, when that is what was executed: the kernel has put the interpreter and at most one
 * argument of its first line before it, execve(2).
 */
async function asScript(
  facts: ProgramFacts,
  at: 1 | 2,
): Promise<Pick<StartSpec, 'path' | 'executable' | 'arguments'> | undefined> {
  const script = facts.arguments[at]
  if (typeof script !== 'string' || nameOf(script) !== facts.name) return undefined
  const path = resolve(fromBytes(facts.directory).toString(), script)
  // A relative one is seen by the program as it was given.
  if (path !== script && !script.includes('/')) return undefined
  // Whoever chose the path may have put a FIFO there, for us to wait at.
  const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants
  const isFile = await stat(path)
    .then((found) => found.isFile())
    .catch(() => false)
  const file = isFile ? await open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY).catch(() => undefined) : undefined
  if (file === undefined) return undefined
  try {
    const { dev, ino, mode } = await file.stat()
    if ((mode & SETUID_OR_SETGID) !== 0 || (mode & EXECUTABLE_BY_ALL) !== EXECUTABLE_BY_ALL) return undefined
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_SHEBANG), 0, MAX_SHEBANG, 0)
    const [first = ''] = buffer.toString('utf8', 0, bytesRead).split('\n')
    const [, interpreter, argument] = /^#![ \t]*([^ \t]+)(?:[ \t]+(.*?))?[ \t]*$/.exec(first) ?? []
    const before = argument ? [interpreter, argument] : [interpreter]
    if (interpreter === undefined || before.length !== at) return undefined
    if (before.some((each, index) => each !== facts.arguments[index])) return undefined
    const found = await stat(interpreter).catch(() => undefined)
    if (found?.dev !== facts.device || found.ino !== facts.inode) return undefined
    const given = { path: toBytes(Buffer.from(script)), executable: { device: dev, inode: ino } }
    return { ...given, arguments: [script, ...facts.arguments.slice(at + 1)] }
  } finally {
    await file.close()
  }
}

function nameOf(path: string): string {
  return Buffer.from(basename(path)).subarray(0, NAME_LENGTH).toString()
}
