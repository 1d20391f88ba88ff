import { constants } from 'node:fs'
import { type FileHandle, open, rename } from 'node:fs/promises'
import { resolve } from 'node:path'
import {
  BYTES,
  CALLBACK,
  type Checks,
  checkIdentity,
  checkOptions,
  FLAG,
  MILLISECONDS,
  PATH,
  TEXT,
} from '../arguments.js'
import { ProcmusterError } from '../errors.js'
import { type ProcFile, readProcFiles } from '../inspect/proc_files.js'
import type { ProcessIdentity } from '../table/identity.js'
import type { EvidenceSettings } from './context.js'
import { below, evidenceError, makeSet, openEvidenceDirectory, reserveBudget } from './evidence_directory.js'

/** Where evidence goes, how much of it, and why it is kept. */
export interface EvidenceOptions {
  /** Made with mode 0700 when it is missing; each set gets a directory of its own in it. */
  readonly directory: string
  readonly procRoot?: string
  /** Why it is collected, for the manifest. */
  readonly rule?: string | undefined
  readonly reason?: string | undefined
  /** Also the environment, which often holds secrets. */
  readonly environ?: boolean | undefined
  /** Of one set; default 64 MiB. */
  readonly maxBytes?: number | undefined
  /** Of all sets in the directory together; unbounded unless given. */
  readonly budgetBytes?: number | undefined
  /** Removes the oldest sets when the budget is used up, rather than refuse. */
  readonly prune?: boolean | undefined
  /** For each file; default 5000. The first one that stalls ends the reading. */
  readonly timeoutMs?: number | undefined
  /** Wall-clock time in ms. */
  readonly now?: () => number
}

/** One file of a set. `error` says in words why it is missing or short. */
export interface EvidenceFile {
  readonly name: string
  readonly bytes: number
  /** The process had more than could be kept. */
  readonly truncated: boolean
  readonly error?: string
}

/** A set of evidence on disk. */
export interface Evidence {
  /** Absolute path of the set: `<directory>/<UTC time>-<pid>-<name>`. */
  readonly directory: string
  readonly bytes: number
  /** In the order in which they were read; one that could not be read at all has an error and is not in the set. */
  readonly files: readonly EvidenceFile[]
}

// What cannot stall comes first, so that it is kept whatever happens; what takes the process's memory lock or walks its
// page tables comes last, the dearest at the very end.
const FILES = [
  'stat',
  'status',
  'statm',
  'comm',
  'io',
  'limits',
  'cgroup',
  'sched',
  'schedstat',
  'wchan',
  'stack',
  'syscall',
  'oom_score',
  'oom_score_adj',
  'exe',
  'cwd',
  'root',
  'ns',
  'task',
  'fd',
  'mountinfo',
  'cmdline',
  'maps',
  'smaps_rollup',
  'numa_maps',
  'smaps',
]

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024
const MANIFEST_ROOM = 16 * 1024
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

export const EVIDENCE_CHECKS: Checks<EvidenceSettings> = {
  directory: PATH,
  environ: FLAG,
  maxBytes: BYTES,
  budgetBytes: BYTES,
  prune: FLAG,
  timeoutMs: MILLISECONDS,
}

/**
 * Copies what `/proc` says of a process into a directory of its own: files 0600, written without following links,
 * `manifest.json` last. A process that vanishes meanwhile is no error: the manifest says what was still there.
 * @throws ProcmusterError `INVALID_ARGUMENT` for a directory that is unsafe, `ACCESS_DENIED`, `IO_ERROR` (disk full:
 * the set is kept as far as it got, with its manifest if that still fits)
 */
export async function collectEvidence(
  identity: ProcessIdentity,
  options: EvidenceOptions,
): Promise<Evidence> {
  checkIdentity(identity)
  checkOptions(options, {
    ...EVIDENCE_CHECKS,
    procRoot: PATH,
    rule: TEXT,
    reason: TEXT,
    now: CALLBACK,
  })
  PATH('directory', options.directory)
  const directory = await openEvidenceDirectory(options.directory)
  try {
    const setBytes = options.maxBytes ?? DEFAULT_MAX_BYTES
    const { budgetBytes, prune = false } = options
    const maxBytes =
      budgetBytes === undefined
        ? setBytes
        : await reserveBudget(directory, options.directory, { budgetBytes, setBytes, prune })
    const time = new Date((options.now ?? Date.now)()).toISOString()
    const name = await readName(identity, options)
    const setName = `${time.replaceAll(':', '-')}-${identity.pid}-${safeName(name)}`
    const set = await makeSet(directory, options.directory, setName)
    try {
      const path = `${resolve(options.directory)}/${set.name}`
      return await fillSet(identity, options, { handle: set.handle, path, maxBytes, time, name })
    } finally {
      await set.handle.close()
    }
  } finally {
    await directory.close()
  }
}

interface OpenSet {
  readonly handle: FileHandle
  readonly path: string
  readonly maxBytes: number
  readonly time: string
  readonly name: string
}

async function fillSet(identity: ProcessIdentity, options: EvidenceOptions, set: OpenSet): Promise<Evidence> {
  const files: EvidenceFile[] = []
  let bytes = 0
  let failure: ProcmusterError | undefined
  const manifestFile = await reserveManifest(set)
  for (const name of options.environ ? [...FILES, 'environ'] : FILES) {
    const { data, truncated, error } = await readOne(
      identity,
      options,
      name,
      Math.max(0, set.maxBytes - bytes),
    )
    if (error !== undefined && data.length === 0) {
      files.push({ name, bytes: 0, truncated: false, error: describe(error) })
      continue
    }
    const written = await writeNew(set, name, data)
    bytes += written.bytes
    const problem = written.error ?? error
    const file = { name, bytes: written.bytes, truncated: truncated || written.bytes < data.length }
    files.push(problem === undefined ? file : { ...file, error: describe(problem) })
    failure = written.error
    if (failure !== undefined) break
  }
  const manifest = manifestOf(identity, options, set, files, bytes)
  const unwritten = await writeManifest(
    set,
    manifestFile,
    Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`),
  )
  failure ??= unwritten
  await set.handle.sync().catch(() => {})
  if (failure !== undefined) throw failure
  return { directory: set.path, bytes, files }
}

function manifestOf(
  identity: ProcessIdentity,
  options: EvidenceOptions,
  set: OpenSet,
  files: readonly EvidenceFile[],
  bytes: number,
): object {
  return {
    version: 1,
    time: set.time,
    pid: identity.pid,
    startTicks: identity.startTicks,
    pidfsInode: identity.pidfsInode,
    name: set.name,
    rule: options.rule,
    reason: options.reason,
    environ: options.environ ?? false,
    maxBytes: set.maxBytes,
    bytes,
    truncated: files.some((file) => file.truncated),
    vanished: files.some((file) => file.error?.startsWith('PROCESS_GONE')),
    files,
  }
}

async function writeNew(
  set: OpenSet,
  name: string,
  data: Buffer,
): Promise<{ bytes: number; error?: ProcmusterError }> {
  let bytes = 0
  let file: FileHandle | undefined
  try {
    file = await open(below(set.handle, name), NEW_FILE, 0o600)
    while (bytes < data.length) bytes += (await file.write(data, bytes)).bytesWritten
    return { bytes }
  } catch (error) {
    return { bytes, error: evidenceError(`${set.path}/${name}`, error) }
  } finally {
    await file?.close().catch(() => {})
  }
}

// On a disk that fills up meanwhile, the manifest is what is missed most: its room is taken before anything else's.
async function reserveManifest(set: OpenSet): Promise<FileHandle> {
  let file: FileHandle | undefined
  try {
    file = await open(below(set.handle, 'manifest.json.partial'), NEW_FILE, 0o600)
    await file.write(Buffer.alloc(MANIFEST_ROOM), 0, MANIFEST_ROOM, 0)
    return file
  } catch (error) {
    await file?.close().catch(() => {})
    throw evidenceError(`${set.path}/manifest.json.partial`, error)
  }
}

// It gets its name only once it is whole and on disk: a set without a manifest is one that was broken off.
async function writeManifest(
  set: OpenSet,
  file: FileHandle,
  text: Buffer,
): Promise<ProcmusterError | undefined> {
  const name = below(set.handle, 'manifest.json')
  try {
    for (let at = 0; at < text.length; ) at += (await file.write(text, at, text.length - at, at)).bytesWritten
    await file.truncate(text.length)
    await file.sync()
    await rename(`${name}.partial`, name)
    return undefined
  } catch (error) {
    return evidenceError(`${set.path}/manifest.json`, error)
  } finally {
    await file.close().catch(() => {})
  }
}

async function readName(identity: ProcessIdentity, options: EvidenceOptions): Promise<string> {
  const { data } = await readOne(identity, options, 'comm', 64)
  return data.toString('utf8').replace(/\n$/, '')
}

async function readOne(
  identity: ProcessIdentity,
  options: EvidenceOptions,
  name: string,
  maxBytesPerFile: number,
): Promise<ProcFile> {
  const procRoot = options.procRoot === undefined ? {} : { procRoot: options.procRoot }
  const timeoutMs = options.timeoutMs ?? 5000
  try {
    return (await readProcFiles(identity, { files: [name], maxBytesPerFile, timeoutMs, ...procRoot }))[0]!
  } catch (error) {
    if (!(error instanceof ProcmusterError)) throw error
    return { name, data: Buffer.alloc(0), truncated: false, error }
  }
}

/** A process chooses its name: nothing of it may mean anything in a path, a shell or a terminal. */
function safeName(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 32) || 'unnamed'
}

function describe(error: ProcmusterError): string {
  return `${error.code}: ${error.message}`
}
