import { open, readFile } from 'node:fs/promises'
import { reapChild } from '../control/children.js'
import { identify } from '../control/handle.js'
import { RESOURCES } from '../control/rlimit.js'
import { errnoName, ProcmusterError } from '../errors.js'
import { parseStatus } from '../inspect/process_status.js'
import { type NativeGate, type NativePidHandle, type NativeStdio, native } from '../native.js'
import type { ProcessIdentity } from '../table/identity.js'
import { placeInCgroups } from './cgroup_placement.js'
import { changesUser } from './restart_refusal.js'
import { fromBytes, joinZeros, type RestartSpec } from './restart_spec.js'
import { releaseRestart, standardDescriptors } from './restart_stdio.js'

/** Options of `startAgain`. */
export interface StartOptions {
  /**
   * Called with the child before it executes anything, so that a journal can name it first. Rejecting calls the child
   * off; it also ends by itself when this process dies meanwhile.
   */
  readonly onReady?: (child: ProcessIdentity) => Promise<void> | void
}

/** The new process. `warnings`: what it lacks of what the old one had. */
export interface StartedProcess extends ProcessIdentity {
  readonly warnings: readonly string[]
}

// The order of SpawnStep in native/spawn/child.h.
const STEPS = [
  'starting',
  'making pipes and a thread',
  'clone',
  'setsid',
  'placing its standard descriptors',
  'entering its working directory',
  'limiting its capability bounding set',
  'setting its groups',
  'setting its user',
  'limiting its capabilities',
  'checking its executable, which is another file by now or setuid',
  'exec',
  'waiting for it for 10 s',
  'opening its gate: it was killed before it could execute anything',
]
const WARN_NICE = 1 << 16
const WARN_IO_PRIORITY = 1 << 17
const WARN_PROCESSORS = 1 << 18

/**
 * Starts a process again as `captureRestart` found it: a child of this process in a session of its own, which the exit
 * watch waits for. It never has more privilege than the old one had. After a failure it may be tried again with the
 * same spec; what was taken over stays open until it succeeds or `releaseRestart` is called.
 * @throws ProcmusterError `RESTART_FAILED` with the step and errno; whatever `onReady` rejects with
 */
export async function startAgain(spec: RestartSpec, options: StartOptions = {}): Promise<StartedProcess> {
  const { stdio, reopened, lost } = await standardDescriptors(spec)
  try {
    const { warnings, ...child } = await startWith(stdio, spec, options)
    releaseRestart(spec)
    return { ...child, warnings: [...spec.warnings, ...lost, ...warnings] }
  } finally {
    if (reopened) native.spawn.closeStdio(stdio)
  }
}

async function startWith(
  stdio: NativeStdio,
  spec: RestartSpec,
  options: StartOptions,
): Promise<StartedProcess> {
  const handle = native.control.newHandle()
  const gate = await newGate(spec, stdio)
  try {
    const out = new Float64Array(4)
    await native.spawn.startGate(gate, stdio, handle, out)
    const [errno, step, pid, bits] = out as unknown as [number, number, number, number]
    if (errno !== 0) throw failure(spec, errno, step)
    const child = await adopt(pid, handle)
    const warnings = [
      ...nativeWarnings(bits),
      ...(await placeInCgroups(pid, spec.cgroups)),
      ...(await setOomScoreAdj(pid, spec.oomScoreAdj)),
    ]
    await options.onReady?.(child)
    const opened = new Float64Array(2)
    await native.spawn.openGate(gate, opened)
    if (opened[0] !== 0) throw failure(spec, opened[0]!, opened[1]!)
    return { ...child, warnings }
  } finally {
    // After the gate was opened this does nothing.
    native.spawn.cancelGate(gate)
  }
}

// From here on it is waited for, whatever happens to it.
async function adopt(pid: number, handle: NativePidHandle): Promise<ProcessIdentity> {
  try {
    const child = await identify(pid)
    void reapChild(child, handle)
    return child
  } catch (error) {
    void reapChild({ pid, startTicks: -1, settled: false }, handle)
    throw error
  }
}

async function newGate(spec: RestartSpec, stdio: NativeStdio): Promise<NativeGate> {
  const ours = parseStatus(await readFile('/proc/self/status', 'utf8'))
  const ids = (id: number) => [id, id, id, id]
  const wanted = { ...ours, uids: ids(spec.uid), gids: ids(spec.gid), groups: spec.groups }
  const numbers = [
    spec.executable.device,
    spec.executable.inode,
    spec.directoryIdentity.device,
    spec.directoryIdentity.inode,
    changesUser(wanted, ours) ? 1 : 0,
    spec.uid,
    spec.gid,
    spec.umask,
    spec.nice,
    spec.ioPriority,
    spec.noNewPrivileges ? 1 : 0,
  ]
  const value = (limit: number | 'unlimited') => (limit === 'unlimited' ? Number.POSITIVE_INFINITY : limit)
  const limits = RESOURCES.flatMap((name) => [value(spec.limits[name].soft), value(spec.limits[name].hard)])
  const { bounding, inheritable, ambient } = spec.capabilities
  return native.spawn.newGate(
    stdio,
    fromBytes(spec.path),
    fromBytes(spec.directory),
    joinZeros(spec.arguments),
    joinZeros(spec.environment),
    Float64Array.from(numbers),
    Uint32Array.from(spec.groups),
    Float64Array.from(limits),
    BigUint64Array.from([bounding, inheritable, ambient].map((mask) => BigInt(`0x${mask}`))),
    spec.namedPath === undefined ? new Uint8Array(0) : fromBytes(spec.namedPath),
    processorMask(spec.processors),
  )
}

// The words of a mask are written highest first; sched_setaffinity(2) takes it lowest byte first, in whole longs.
function processorMask(text: string | undefined): Uint8Array {
  if (text === undefined) return new Uint8Array(0)
  const digits = text.replaceAll(',', '')
  const padded = digits.padStart(Math.ceil(digits.length / 16) * 16, '0')
  return Uint8Array.from(Buffer.from(padded, 'hex').reverse())
}

function nativeWarnings(bits: number): string[] {
  const warnings = RESOURCES.filter((_, index) => (bits & (1 << index)) !== 0).map(
    (name) => `limit ${name} could not be raised to what it was`,
  )
  if ((bits & WARN_NICE) !== 0) warnings.push('its nice value could not be set')
  if ((bits & WARN_IO_PRIORITY) !== 0) warnings.push('its I/O priority could not be set')
  if ((bits & WARN_PROCESSORS) !== 0) warnings.push('the processors that it may run on could not be set')
  return warnings
}

async function setOomScoreAdj(pid: number, wanted: number): Promise<string[]> {
  const path = `/proc/${pid}/oom_score_adj`
  try {
    if (Number(await readFile(path, 'utf8')) === wanted) return []
    const file = await open(path, 'r+')
    await file.write(String(wanted)).finally(() => file.close())
    return []
  } catch (error) {
    return [`its oom_score_adj ${wanted} could not be set (${(error as NodeJS.ErrnoException).code})`]
  }
}

function failure(spec: RestartSpec, errno: number, step: number): ProcmusterError {
  const path = fromBytes(spec.path).toString()
  return new ProcmusterError('RESTART_FAILED', {
    message: `${JSON.stringify(path)} (was process ${spec.pid}) could not be started again: ${STEPS[step]} (${errnoName(errno)})`,
    pid: spec.pid,
    startTicks: spec.startTicks,
    path,
    errno,
  })
}
