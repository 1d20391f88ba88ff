import { readdir, readFile, readlink, stat } from 'node:fs/promises'
import { checkIdentity, checkOptions, FLAG } from '../arguments.js'
import { Step, stepError } from '../control/results.js'
import { getResourceLimits } from '../control/rlimit.js'
import { packTargets } from '../control/targets.js'
import { ProcmusterError } from '../errors.js'
import { type ProcFile, readProcFiles } from '../inspect/proc_files.js'
import { type ProcessStatus, parseStatus } from '../inspect/process_status.js'
import { type NativePidHandle, native } from '../native.js'
import { fromBytes, splitZeros, toBytes } from '../spawn/start_spec.js'
import type { ProcessIdentity } from '../table/identity.js'
import { programToStart } from './program_to_start.js'
import { boundingSet, privilegeRefusal, privilegeWarnings } from './restart_refusal.js'
import type { CgroupSpec, RestartSpec } from './restart_spec.js'
import { keepStdio, takeStdio } from './restart_stdio.js'

/** Options of `captureRestart`. */
export interface CaptureOptions {
  /** Start what lies at the executable's path now, although it is another file than the one that runs. */
  readonly allowReplacedExecutable?: boolean
}

const FILES = [
  'stat',
  'status',
  'cgroup',
  'oom_score_adj',
  'comm',
  'exe',
  'cwd',
  'root',
  'ns',
  'cmdline',
  'environ',
]
// Far above what exec takes (a quarter of the stack limit, 6 MiB at most).
const MAX_BYTES = 16 * 1024 * 1024
const NAMESPACES = ['mnt', 'pid', 'user', 'net', 'ipc', 'uts', 'cgroup', 'time']
const DELETED = ' (deleted)'

/**
 * Takes from `/proc` everything that it takes to start the process again, while it still runs, and takes over its
 * standard descriptors.
 * @throws ProcmusterError `RESTART_REFUSED` with the reason when a new one could not be the same or could have more
 * privilege; `PROCESS_GONE`, `UNSETTLED`, `TIMEOUT`
 */
export async function captureRestart(
  identity: ProcessIdentity,
  options: CaptureOptions = {},
): Promise<RestartSpec> {
  checkIdentity(identity)
  checkOptions(options, { allowReplacedExecutable: FLAG })
  const handle = native.control.newHandle()
  try {
    const out = new Int32Array(3)
    await native.control.openHandle(handle, packTargets([identity]), out)
    const failure = stepError(identity, 'restart', out[0]!, out[1]!)
    if (failure !== undefined) throw failure
    if (out[2] === 1) throw refusal(identity, 'it is pid 1, a kernel thread or this very process')
    return await capture(identity, handle, options)
  } finally {
    native.control.closeHandle(handle)
  }
}

async function capture(
  identity: ProcessIdentity,
  handle: NativePidHandle,
  options: CaptureOptions,
): Promise<RestartSpec> {
  const files = await readAll(identity)
  const text = (name: string) => files.get(name)!.toString('utf8')
  const fields = text('stat')
    .slice(text('stat').lastIndexOf(')') + 2)
    .split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') throw refusal(identity, 'it has ended already (a zombie)')
  const theirs = parseStatus(text('status'))
  const ours = parseStatus(await readFile('/proc/self/status', 'utf8'))
  await refuseOtherRoot(identity, text('root'), text('ns'))
  const image = await checkExecutable(identity, files.get('exe')!, options.allowReplacedExecutable ?? false)
  const fileCapabilities = new BigUint64Array(1)
  native.spawn.fileCapabilities(fromBytes(image.path), fileCapabilities)
  const reason = privilegeRefusal({
    theirs,
    ours,
    executableMode: image.mode,
    fileCapabilities: fileCapabilities[0]!,
  })
  if (reason !== undefined) throw refusal(identity, reason)
  checkStrings(identity, fields, files.get('cmdline')!, files.get('environ')!)
  const directory = await checkDirectory(identity, files.get('cwd')!)
  const name = text('comm').replace(/\n$/, '')
  const program = await programToStart({
    ...{ ...image, ...directory, name },
    arguments: splitZeros(files.get('cmdline')!),
    environment: splitZeros(files.get('environ')!),
  })
  const limits = await getResourceLimits(identity)
  const stdio = await takeStdio(identity, handle)
  // All that was read by pid was read of this process only if it is there still.
  if (native.control.handleExited(handle)) {
    native.spawn.closeStdio(stdio.open)
    throw stepError(identity, 'restart', 3, Step.open)!
  }
  const spec: RestartSpec = {
    version: 1,
    pid: identity.pid,
    startTicks: identity.startTicks,
    name,
    ...program,
    environment: splitZeros(files.get('environ')!),
    ...directory,
    uid: theirs.uids[1]!,
    gid: theirs.gids[1]!,
    groups: theirs.groups,
    umask: theirs.umask,
    nice: Number(fields[16]), // proc_pid_stat(5) field 19
    ioPriority: Math.max(-1, native.getIoPriority(identity.pid)),
    processors: theirs.processors,
    limits,
    cgroups: parseCgroups(text('cgroup')),
    oomScoreAdj: Number(text('oom_score_adj')),
    capabilities: capabilitySpec(theirs),
    noNewPrivileges: theirs.noNewPrivileges,
    stdio: stdio.specs,
    warnings: [...privilegeWarnings(theirs, ours), ...otherWarnings(fields)],
  }
  keepStdio(spec, stdio.open)
  return spec
}

async function readAll(identity: ProcessIdentity): Promise<Map<string, Buffer>> {
  const files = await readProcFiles(identity, { files: FILES, maxBytesPerFile: MAX_BYTES, timeoutMs: 5000 })
  for (const file of files) checkRead(identity, file)
  return new Map(files.map(({ name, data }) => [name, data]))
}

function checkRead(identity: ProcessIdentity, file: ProcFile): void {
  if (file.error === undefined) {
    if (file.truncated) throw refusal(identity, `its ${file.name} is larger than any that exec takes`)
    return
  }
  if (file.error.code === 'PROCESS_GONE' || file.error.code === 'TIMEOUT') throw file.error
  // A zombie has no executable any more.
  if (file.name === 'exe' && file.error.code === 'NOT_FOUND') {
    throw refusal(identity, 'it has ended already (a zombie), or is a kernel thread')
  }
  throw refusal(identity, `its ${file.name} cannot be read: ${file.error.message}`, file.error)
}

async function refuseOtherRoot(identity: ProcessIdentity, root: string, namespaces: string): Promise<void> {
  if (root !== '/') throw refusal(identity, `its root directory is ${JSON.stringify(root)}, not ours`)
  const theirs = new Map(namespaces.split('\n').map((line) => line.split(' ') as [string, string]))
  const known = new Set(
    await readdir('/proc/self/ns').catch(() => {
      throw refusal(identity, 'our own namespaces cannot be read (this process has changed its user)')
    }),
  )
  for (const name of NAMESPACES.filter((each) => known.has(each))) {
    const target = theirs.get(name)
    if (target === undefined || target === '?')
      throw refusal(identity, `its ${name} namespace cannot be read`)
    if (target !== (await readlink(`/proc/self/ns/${name}`))) {
      throw refusal(
        identity,
        `it is in another ${name} namespace; restart it from there, or by its container's manager`,
      )
    }
  }
}

async function checkExecutable(identity: ProcessIdentity, link: Buffer, allowReplaced: boolean) {
  const shown = link.toString('latin1')
  const deleted = shown.endsWith(DELETED)
  const path = deleted ? link.subarray(0, link.length - DELETED.length) : link
  const running = await stat(`/proc/${identity.pid}/exe`).catch(() => undefined)
  const found = await stat(path).catch(() => undefined)
  if (running === undefined) throw refusal(identity, 'its executable cannot be looked at')
  if (found === undefined) {
    throw refusal(identity, `its executable ${JSON.stringify(path.toString())} was deleted`)
  }
  const same = running.dev === found.dev && running.ino === found.ino
  if (!same && !allowReplaced) {
    throw refusal(
      identity,
      `its executable ${JSON.stringify(path.toString())} was replaced by another file; allowReplacedExecutable starts that one`,
    )
  }
  return { path: toBytes(path), device: found.dev, inode: found.ino, mode: found.mode }
}

async function checkDirectory(identity: ProcessIdentity, link: Buffer) {
  const found = await stat(`/proc/${identity.pid}/cwd`).catch(() => undefined)
  if (found === undefined || link.toString('latin1').endsWith(DELETED)) {
    throw refusal(identity, `its working directory ${JSON.stringify(link.toString())} was deleted`)
  }
  return { directory: toBytes(link), directoryIdentity: { device: found.dev, inode: found.ino } }
}

function checkStrings(
  identity: ProcessIdentity,
  fields: readonly string[],
  cmdline: Buffer,
  environ: Buffer,
): void {
  // Since Linux 5.18 who was executed without arguments shows a single empty one.
  if (cmdline.every((byte) => byte === 0)) throw refusal(identity, 'its command line is empty')
  // setproctitle() and the like write a text of their own over the arguments, and often over the environment.
  const padded = cmdline.length > 2 && cmdline.subarray(-3).every((byte) => byte === 0)
  if (cmdline.at(-1) !== 0 || padded || cmdline.length !== sizeAt(fields, 48, cmdline.length)) {
    throw refusal(identity, 'it has overwritten its command line with a title')
  }
  const entries = splitZeros(environ)
  if (
    environ.length !== sizeAt(fields, 50, environ.length) ||
    (environ.length > 0 && environ.at(-1) !== 0) ||
    entries.some((entry) => !fromBytes(entry).includes('='))
  ) {
    throw refusal(identity, 'it has overwritten its environment')
  }
}

// Bytes between two addresses of proc_pid_stat(5): fields 48 and 49 are where the arguments lie, 50 and 51 the
// environment. Zero when we may not see them.
function sizeAt(fields: readonly string[], field: number, unknown: number): number {
  const [start, end] = [Number(fields[field - 3]), Number(fields[field - 2])]
  return start > 0 && end > 0 ? end - start : unknown
}

function parseCgroups(text: string): CgroupSpec[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      // A path may hold colons itself.
      const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) as unknown as [string, string, string]
      return { controllers, path }
    })
}

function capabilitySpec(theirs: ProcessStatus): RestartSpec['capabilities'] {
  return {
    bounding: boundingSet(theirs).toString(16),
    inheritable: theirs.inheritable.toString(16),
    ambient: theirs.ambient.toString(16),
  }
}

function otherWarnings(fields: readonly string[]): string[] {
  const policy = Number(fields[38]) // proc_pid_stat(5) field 41
  return policy === 0 ? [] : [`its scheduling policy ${policy} is not given to a new one`]
}

function refusal(identity: ProcessIdentity, reason: string, cause?: ProcmusterError): ProcmusterError {
  const { pid, startTicks } = identity
  return new ProcmusterError('RESTART_REFUSED', {
    message: `process ${pid} is not restarted: ${reason}`,
    pid,
    startTicks,
    cause,
    errno: cause?.errno,
  })
}
