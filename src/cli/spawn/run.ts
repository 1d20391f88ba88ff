import { readFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { Cgroup, capProcess, detectCgroups, uncapProcess } from '../../public/cgroups.js'
import { identify, type SignalName, signalNumber } from '../../public/control.js'
import { ProcmusterError } from '../../public/errors.js'
import { type ProcessExit, type SpawnedProcess, type SpawnOptions, spawnProcess } from '../../public/spawn.js'
import type { ProcessIdentity } from '../../public/table.js'
import { wordedBytes } from '../../public/text.js'
import { hasLimits } from '../control/cgroup_limits.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail, messageOf } from '../fault.js'
import { fineDuration, shortTime } from '../quantities.js'
import { escapeForTerminal, safeJson } from '../terminal.js'
import { autogroupOf } from './job_session.js'
import { JobStore } from './job_store.js'
import { becomeKeeper } from './keeper.js'
import { type RawStart, readStart, type Start } from './start_flags.js'

/** As commander hands them over. */
export interface RawRun extends RawStart {
  background?: boolean
  name?: string
  log?: string
  usage?: boolean
  json?: boolean
  /** The muster that becomes the keeper of the job. */
  kept?: boolean
}

/** `muster run -- PROGRAM` */
export async function run(program: string, args: readonly string[], raw: RawRun): Promise<void> {
  const faults = new FaultList()
  const start = readStart(raw, faults)
  for (const [flag, value] of [
    ['--name', raw.name],
    ['--log', raw.log],
  ] as const) {
    if (value !== undefined && !raw.background) {
      faults.add(EXIT.usage, `${flag} is for a job; give -b/--background with it`)
    }
  }
  if (raw.usage && raw.background) {
    faults.add(
      EXIT.usage,
      '--usage is for the foreground; of a job muster keeps how it ended, see muster jobs',
    )
  }
  faults.throwIfAny()
  if (raw.background) await runInBackground(program, args, start, raw)
  else await runInForeground(program, args, start, raw)
}

const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGINT', 'SIGQUIT'] as const

async function runInForeground(
  program: string,
  args: readonly string[],
  start: Start,
  raw: RawRun,
): Promise<void> {
  let child: SpawnedProcess | undefined
  const early: SignalName[] = []
  const send = (signal: SignalName): void => {
    if (child === undefined) early.push(signal)
    else forward(child, signal)
  }
  for (const signal of FORWARDED) {
    const isOfTerminals = signal === 'SIGINT' || signal === 'SIGQUIT'
    process.on(signal, () => (isOfTerminals && isInForeground()) || send(signal))
  }
  const started = await startProgram(program, args, start, { stdin: 'inherit' })
  child = started.child
  for (const signal of early) forward(child, signal)
  const exit = await child.exited
  // They are told by the group, which goes next.
  const oomKills = await oomKillsIn(started.groups)
  if (hasLimits(start.limits)) await uncapProcess([child], { emptyOnly: true })
  if (raw.json) process.stderr.write(`${safeJson({ program, pid: child.pid, ...jsonOf(exit), oomKills })}\n`)
  else if (raw.usage || exit.coreDumped || (exit.signal !== undefined && exit.signal !== 'SIGINT'))
    process.stderr.write(`muster: ${escapeForTerminal(program)} ${wordedEnd(exit, raw.usage === true)}\n`)
  if (oomKills > 0 && !raw.json) process.stderr.write(`muster: ${wordedOomKills(oomKills, start)}\n`)
  process.exitCode = exitCodeOf(exit)
}

/** How many processes of a capped program the kernel has ended because memory ran out. */
async function oomKillsIn(directories: readonly string[]): Promise<number> {
  if (directories.length === 0) return 0
  const { hierarchies } = await detectCgroups()
  for (const directory of directories) {
    const tree = hierarchies.find(({ mountPoint }) => directory.startsWith(`${mountPoint}/`))
    if (tree === undefined) continue
    try {
      const { oomKills } = await (await Cgroup.open(directory.slice(tree.mountPoint.length))).eventCounts()
      if (oomKills !== undefined) return oomKills
    } catch (error) {
      // Whoever else removes groups may have been first.
      if (!(error instanceof ProcmusterError)) throw error
    }
  }
  return 0
}

function wordedOomKills(count: number, { limits: { memoryMaxBytes } }: Start): string {
  const whom = count === 1 ? 'one process' : `${count} processes`
  // Which limit it was, this one, one above it or the host's, is not told.
  const limit = typeof memoryMaxBytes === 'number' ? ` (its limit is ${wordedBytes(memoryMaxBytes)})` : ''
  return `out of memory: the kernel's OOM killer ended ${whom} of it${limit}`
}

async function runInBackground(
  program: string,
  args: readonly string[],
  start: Start,
  raw: RawRun,
): Promise<void> {
  const { cwd = process.cwd(), pidFile } = start.options
  const store = await JobStore.open()
  const keeper = await identify(process.pid)
  const { child, name, log } = await store.locked(async () => {
    const reserved = await store.reserve(raw.name, program, raw.log)
    try {
      const { child } = await startProgram(program, args, start, {
        detached: true,
        stdout: { file: reserved.log },
        onReady: async (child) =>
          store.put({
            ...reserved,
            ...{ pid: child.pid, startTicks: child.startTicks, autogroup: await autogroupOf(child) },
            ...{ startedAtMs: Date.now(), program, arguments: args, directory: cwd },
            ...{
              pidFile: pidFile ? resolve(pidFile) : null,
              capped: hasLimits(start.limits),
              stoppedBy: null,
              keeper: { pid: keeper.pid, startTicks: keeper.startTicks },
            },
          }),
      })
      return { ...reserved, child }
    } catch (error) {
      await store.forget(reserved)
      throw error
    }
  })
  const { pid, startTicks } = child
  const text = raw.json
    ? safeJson({ name, pid, startTicks, log })
    : `${name}: pid ${pid}, log ${escapeForTerminal(log)}`
  await becomeKeeper(child, store.exitFile(name), `${text}\n`)
}

/**
 * Whether the terminal sends its signals to this process group, which is the program's, too. proc_pid_stat(5) fields 5
 * and 8.
 */
function isInForeground(): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[5 - 3] === fields[8 - 3]
}

/** With the codes that shells and env(1) have for a program that cannot be had. */
async function startProgram(
  program: string,
  args: readonly string[],
  { options, limits }: Start,
  manner: SpawnOptions,
): Promise<{ readonly child: SpawnedProcess; readonly groups: readonly string[] }> {
  let capped: ProcessIdentity | undefined
  let groups: readonly string[] = []
  try {
    const child = await spawnProcess(program, args, {
      ...options,
      ...manner,
      async onReady(child) {
        if (hasLimits(limits)) {
          const [result] = await capProcess([child], limits, { descendants: false })
          if (!result!.ok) throw result!.error
          capped = child
          groups = result!.directories
        }
        await manner.onReady?.(child)
      },
    })
    return { child, groups }
  } catch (error) {
    if (capped !== undefined) await uncapProcess([capped], { force: true })
    if (!(error instanceof ProcmusterError) || !isOf(program, options, error.path)) throw error
    return fail(error.code === 'NOT_FOUND' ? EXIT.noProgram : EXIT.notExecutable, messageOf(error))
  }
}

/** Whether an error is about the file of the program: its path, and not that of the pid file or another one. */
function isOf(program: string, { cwd = '.' }: SpawnOptions, path = ''): boolean {
  return program.includes('/') ? path === resolve(cwd, program) : basename(path) === program
}

function forward(child: SpawnedProcess, signal: SignalName): void {
  try {
    child.signal(signal)
  } catch (error) {
    // It has ended, or has become another user: no reason to end before it does.
    if (!(error instanceof ProcmusterError)) throw error
    if (error.code !== 'PROCESS_GONE') process.stderr.write(`muster: ${messageOf(error)}\n`)
  }
}

/** As shells have it. */
export function exitCodeOf({ exitCode, signal }: Pick<ProcessExit, 'exitCode' | 'signal'>): number {
  if (signal === undefined) return exitCode ?? EXIT.failure
  return 128 + signalNumber(signal as SignalName)
}

function jsonOf({ exitCode, signal, use, ...rest }: ProcessExit): Record<string, unknown> {
  return {
    exitCode: exitCode ?? null,
    signal: signal ?? null,
    ...rest,
    use: use === undefined ? null : { ...use, peakRssBytes: use.peakRssBytes ?? null },
  }
}

function wordedEnd({ exitCode, signal, coreDumped, lifetimeMs, use }: ProcessExit, withUse: boolean): string {
  const how = signal === undefined ? `ended with code ${exitCode ?? '?'}` : `was ended by ${signal}`
  const core = coreDumped ? ', core dumped' : ''
  if (!withUse || use === undefined) return `${how}${core}`
  const { userTimeMs, systemTimeMs, peakRssBytes, majorFaults } = use
  const share = lifetimeMs > 0 ? Math.round(((userTimeMs + systemTimeMs) / lifetimeMs) * 100) : 0
  const peak =
    peakRssBytes === undefined
      ? `peak memory below muster's own ${wordedBytes(process.resourceUsage().maxRSS * 1024)}`
      : `peak memory ${wordedBytes(peakRssBytes)}`
  return [
    `${how}${core} after ${fineDuration(lifetimeMs)}`,
    `cpu ${shortTime(userTimeMs * 1e6)} user, ${shortTime(systemTimeMs * 1e6)} system (${share}%)`,
    peak,
    `${majorFaults} page faults with I/O`,
    `switches ${use.voluntarySwitches} waiting, ${use.involuntarySwitches} preempted`,
  ].join('; ')
}
