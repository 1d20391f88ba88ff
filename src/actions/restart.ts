import { open, readFile } from 'node:fs/promises'
import { CALLBACK, checkHas, checkOptions } from '../arguments.js'
import { RESOURCES } from '../control/rlimit.js'
import { errnoName, ProcmusterError } from '../errors.js'
import { type NativeStdio, native } from '../native.js'
import { Place, type StartStep, startProgram, wordedStep } from '../spawn/start.js'
import { fromBytes } from '../spawn/start_spec.js'
import type { ProcessIdentity } from '../table/identity.js'
import { placeInCgroups } from './cgroup_placement.js'
import type { RestartSpec } from './restart_spec.js'
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

// The bits of SpawnWarning in native/spawn/child.h; the lower ones are the resources by number.
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
  checkHas('the specification', spec, ['stdio', 'path', 'executable'], 'one of captureRestart')
  checkOptions(options, { onReady: CALLBACK })
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
  const warnings: string[] = []
  const { child } = await startProgram(spec, stdio, {
    place: Place.session,
    allowSetuid: false,
    failure: (errno, step) => failure(spec, errno, step),
    async prepare(child, lacking) {
      warnings.push(
        ...nativeWarnings(lacking),
        ...(await placeInCgroups(child.pid, spec.cgroups)),
        ...(await setOomScoreAdj(child.pid, spec.oomScoreAdj)),
      )
      await options.onReady?.(child)
    },
  })
  return { ...child, warnings }
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

function failure(spec: RestartSpec, errno: number, step: StartStep): ProcmusterError {
  const path = fromBytes(spec.path).toString()
  return new ProcmusterError('RESTART_FAILED', {
    message: `${JSON.stringify(path)} (was process ${spec.pid}) could not be started again: ${wordedStep(step)} (${errnoName(errno)})`,
    pid: spec.pid,
    startTicks: spec.startTicks,
    path,
    errno,
  })
}
