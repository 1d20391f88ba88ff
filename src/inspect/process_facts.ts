import { checkIdentities, checkOptions, FLAG, PATH } from '../arguments.js'
import { parseLimits, type Resource } from '../control/rlimit.js'
import type { ProcessIdentity } from '../table/identity.js'
import { readProcFiles } from './proc_files.js'

/** What is read of a process once per life and after exec; what may not be read is undefined. */
export interface ProcessFacts {
  /** Arguments joined by spaces. */
  readonly commandLine: string | undefined
  /** Path of the program. */
  readonly exe: string | undefined
  /** proc_pid_cgroup(5), whole. */
  readonly cgroup: string | undefined
  /** Soft limits, Infinity for none; only when asked for. */
  readonly limits?: Readonly<Record<Resource, number>> | undefined
}

// Of each file. A command line can be megabytes long; the rest of such a one tells nothing that decides.
const MAX_BYTES = 128 * 1024
const AT_ONCE = 64

/** Options of `readProcessFacts`. */
export interface FactsOptions {
  /** Where proc is mounted; `/proc` by default. */
  readonly procRoot?: string
  /** The resource limits too, which costs one more file. */
  readonly limits?: boolean
}

/** Reads the facts of these processes, in that order. Undefined where it took too long: worth another try later. */
export async function readProcessFacts(
  targets: readonly Pick<ProcessIdentity, 'pid' | 'startTicks'>[],
  options: FactsOptions = {},
): Promise<(ProcessFacts | undefined)[]> {
  checkIdentities(targets)
  checkOptions(options, { procRoot: PATH, limits: FLAG })
  const facts: (ProcessFacts | undefined)[] = []
  for (let at = 0; at < targets.length; at += AT_ONCE) {
    const some = targets.slice(at, at + AT_ONCE).map((target) => readOne(target, options))
    facts.push(...(await Promise.all(some)))
  }
  return facts
}

async function readOne(
  target: Pick<ProcessIdentity, 'pid' | 'startTicks'>,
  { procRoot = '/proc', limits = false }: FactsOptions,
): Promise<ProcessFacts | undefined> {
  const texts = await readTexts(target, ['cmdline', 'exe', 'cgroup', ...(limits ? ['limits'] : [])], procRoot)
  if (texts === undefined) return undefined
  const [cmdline, exe, cgroup, limitsText] = texts
  return {
    commandLine: cmdline?.replace(/\0$/, '').replaceAll('\0', ' '),
    exe,
    cgroup,
    ...(limits ? { limits: softLimits(limitsText) } : {}),
  }
}

/** What may not be read is undefined for good; all are where one took too long, which is worth another try later. */
export async function readTexts(
  { pid, startTicks }: Pick<ProcessIdentity, 'pid' | 'startTicks'>,
  names: readonly string[],
  procRoot: string,
): Promise<(string | undefined)[] | undefined> {
  const options = { procRoot, files: names, maxBytesPerFile: MAX_BYTES }
  const files = await readProcFiles({ pid, startTicks }, options)
  if (files.some(({ error }) => error?.code === 'TIMEOUT')) return undefined
  return files.map(({ data, error }) => (error === undefined ? data.toString('utf8') : undefined))
}

function softLimits(text: string | undefined): ProcessFacts['limits'] {
  const limits = text === undefined ? undefined : parseLimits(text)
  if (limits === undefined) return undefined
  const entries = Object.entries(limits).map(([resource, { soft }]) => [
    resource,
    soft === 'unlimited' ? Number.POSITIVE_INFINITY : soft,
  ])
  return Object.fromEntries(entries) as Record<Resource, number>
}
