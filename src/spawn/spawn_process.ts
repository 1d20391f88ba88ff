import { getPriority } from 'node:os'
import {
  CALLBACK,
  type Checks,
  checkOptions,
  ELSEWHERE,
  FLAG,
  listOf,
  PATH,
  RECORD,
  TEXT,
} from '../arguments.js'
import { Cgroup } from '../cgroups/cgroup.js'
import { setPriority } from '../control/priority.js'
import type { ControlResult } from '../control/results.js'
import { type Resource, setResourceLimit } from '../control/rlimit.js'
import { setAffinity, setIoPriority, setOomScoreAdj, setScheduler } from '../control/scheduling.js'
import { codeOfErrno, type ErrorCode, errnoName, ProcmusterError } from '../errors.js'
import { native } from '../native.js'
import type { ProcessIdentity } from '../table/identity.js'
import { type Account, findGroup, findUser } from './account.js'
import { type ChildStdio, closeChildStdio, openChildStdio } from './child_stdio.js'
import { dropPidFile, takePidFile } from './pid_file.js'
import { findDirectory, findProgram } from './program_file.js'
import type { SpawnOptions } from './spawn_options.js'
import { SpawnedProcess } from './spawned_process.js'
import { changesUser, ownStatus, Place, StartStep, startProgram, wordedStep } from './start.js'
import type { StartSpec } from './start_spec.js'

/** Each start holds a thread of the addon from its clone to its exec; more of them would gain nothing. */
const MOST_AT_ONCE = 16
let underWay = 0
const waiting: (() => void)[] = []

/** What says more than its type is checked where it is used. */
const CHECKS: Checks<SpawnOptions> = {
  env: RECORD,
  extendEnv: FLAG,
  cwd: PATH,
  user: ELSEWHERE,
  group: ELSEWHERE,
  groups: listOf(ELSEWHERE),
  umask: ELSEWHERE,
  limits: RECORD,
  nice: ELSEWHERE,
  ioPriority: RECORD,
  scheduler: RECORD,
  affinity: ELSEWHERE,
  oomScoreAdj: ELSEWHERE,
  cgroup: TEXT,
  newSession: FLAG,
  newProcessGroup: FLAG,
  noNewPrivileges: FLAG,
  stdin: ELSEWHERE,
  stdout: ELSEWHERE,
  stderr: ELSEWHERE,
  detached: FLAG,
  pidFile: PATH,
  onReady: CALLBACK,
}

/**
 * Starts a program as a child of this process, without forking this process's memory. Resolves when the program is
 * executed; until then every failure rejects, and no child is left.
 * @param program path, or name to be looked for in the PATH of `options.env`, as execvp(3) does
 * @param args without the name of the program itself
 * @throws ProcmusterError `NOT_FOUND` (the program, its interpreter, the working directory, user, group or control
 * group), `ACCESS_DENIED`, `INVALID_ARGUMENT`, `BUSY` (pid file taken, or no more processes allowed); whatever `onReady`
 * rejects with
 */
export async function spawnProcess(
  program: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): Promise<SpawnedProcess> {
  TEXT('the program', program)
  listOf(TEXT)('the arguments', args)
  checkOptions(options, CHECKS)
  if (underWay === MOST_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
  else underWay++
  try {
    const spec = await specOf(program, args, options)
    const stdio = await openChildStdio(options)
    return await start(spec, stdio, options).catch((error: unknown) => {
      closeChildStdio(stdio)
      throw error
    })
  } finally {
    const next = waiting.shift()
    if (next === undefined) underWay--
    else next()
  }
}

async function start(
  spec: StartSpec & { readonly path: string },
  stdio: ChildStdio,
  options: SpawnOptions,
): Promise<SpawnedProcess> {
  const { detached = false, newSession = detached, newProcessGroup = false, pidFile, onReady } = options
  let named: ProcessIdentity | undefined
  try {
    const started = await startProgram(spec, stdio.native, {
      place: newSession ? Place.session : newProcessGroup ? Place.group : Place.parents,
      allowSetuid: true,
      failure: (errno, step) => failure(spec, errno, step),
      async prepare(child) {
        await setUp(child, options, spec.path)
        await onReady?.(child)
        if (pidFile === undefined) return
        await takePidFile(pidFile, child)
        named = child
      },
    })
    native.spawn.closeStdio(stdio.native)
    const spawned = new SpawnedProcess(started, stdio)
    if (pidFile !== undefined) void spawned.exited.then(() => dropPidFile(pidFile, spawned))
    return detached ? spawned : spawned.ref()
  } catch (error) {
    if (pidFile !== undefined && named !== undefined) await dropPidFile(pidFile, named)
    throw error
  }
}

async function specOf(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<StartSpec & { readonly path: string }> {
  const ours = await ownStatus()
  const account = options.user === undefined ? undefined : await accountOf(options.user, options)
  const environment = environmentOf(options, account)
  const directory = options.cwd ?? process.cwd()
  const directoryIdentity = await findDirectory(directory)
  const file = await findProgram(program, directory, environment.get('PATH'))
  const gid = options.group === undefined ? (account?.gid ?? ours.gids[1]!) : await findGroup(options.group)
  const groups =
    options.groups === undefined
      ? (account?.groups ?? ours.groups)
      : await Promise.all(options.groups.map(findGroup))
  const uid = account?.uid ?? ours.uids[1]!
  const ids = (id: number) => [id, id, id, id]
  const isOther = changesUser({ ...ours, uids: ids(uid), gids: ids(gid), groups }, ours)
  const mask = (bits: bigint) => bits.toString(16)
  return {
    ...file,
    arguments: [program, ...args].map((each) => checkText(each, 'argument')),
    environment: [...environment].map(([name, value]) => `${name}=${value}`),
    ...{ directory, directoryIdentity, uid, gid, groups },
    umask: checkUmask(options.umask ?? ours.umask),
    nice: getPriority(),
    ioPriority: -1,
    capabilities: {
      bounding: mask(ours.bounding),
      inheritable: mask(isOther ? 0n : ours.inheritable),
      ambient: mask(isOther ? 0n : ours.ambient),
    },
    noNewPrivileges: options.noNewPrivileges ?? false,
  }
}

/** A number needs no entry in passwd(5) when its group is given. */
async function accountOf(
  user: string | number,
  { group }: SpawnOptions,
): Promise<Pick<Account, 'uid' | 'gid' | 'groups'> & Partial<Account>> {
  try {
    return await findUser(user)
  } catch (error) {
    const bare = /^\d+$/.test(String(user)) && group !== undefined
    if (!bare || !(error instanceof ProcmusterError) || error.code !== 'NOT_FOUND') throw error
    return { uid: Number(user), gid: await findGroup(group), groups: [] }
  }
}

function environmentOf(
  { env = {}, extendEnv = true }: SpawnOptions,
  account: Partial<Account> | undefined,
): Map<string, string> {
  const own: NodeJS.ProcessEnv = extendEnv ? process.env : {}
  const theirs =
    account?.name === undefined
      ? {}
      : { HOME: account.home, USER: account.name, LOGNAME: account.name, SHELL: account.shell }
  const result = new Map<string, string>()
  for (const [name, value] of Object.entries({ ...own, ...theirs, ...env })) {
    if (value === undefined) continue
    if (name === '' || name.includes('=')) {
      throw wrong(`${JSON.stringify(name)} is no name of a variable; use one without =`)
    }
    result.set(checkText(name, 'name of a variable'), checkText(value, `value of ${name}`))
  }
  return result
}

/** What can be set from outside, by the calls that do it to any process. */
async function setUp(child: ProcessIdentity, options: SpawnOptions, path: string): Promise<void> {
  const { limits = {}, nice, ioPriority, scheduler, affinity, oomScoreAdj, cgroup } = options
  const target = [child]
  const need = async (results: Promise<readonly ControlResult[]>) => {
    for (const result of await results) {
      if (result.ok) continue
      const { code, message, errno } = result.error
      throw new ProcmusterError(code, {
        message: `${notStarted(path)}: ${message}`,
        errno,
        cause: result.error,
      })
    }
  }
  for (const [resource, limit] of Object.entries(limits)) {
    if (limit?.soft === undefined && limit?.hard === undefined)
      throw wrong(`limits.${resource} is ${JSON.stringify(limit)}; give { soft, hard }, or one of them`)
    await need(setResourceLimit(target, resource as Resource, limit))
  }
  if (cgroup !== undefined) await need((await Cgroup.open(cgroup)).move(target))
  if (oomScoreAdj !== undefined) await need(setOomScoreAdj(target, oomScoreAdj))
  if (affinity !== undefined) await need(setAffinity(target, affinity))
  if (nice !== undefined) await need(setPriority(target, nice))
  if (ioPriority !== undefined) await need(setIoPriority(target, ioPriority))
  if (scheduler !== undefined) await need(setScheduler(target, scheduler))
}

function checkText(text: string, what: string): string {
  if (typeof text === 'string' && !text.includes('\0')) return text
  throw wrong(`the ${what} ${JSON.stringify(text)} is no text without zero bytes`)
}

function checkUmask(umask: number): number {
  if (Number.isInteger(umask) && umask >= 0 && umask <= 0o777) return umask
  throw wrong(`${umask} is no umask; use 0 to 0o777`)
}

function wrong(message: string): ProcmusterError {
  return new ProcmusterError('INVALID_ARGUMENT', { message })
}

const notStarted = (path: string): string => `${JSON.stringify(path)} could not be started`

/** What an errno means at a step, and its code where that is not the usual one. */
const HINTS: Readonly<Record<string, readonly [hint: string, code?: ErrorCode]>> = {
  [`${StartStep.groups} EPERM`]: ['another user or group takes root, or CAP_SETUID and CAP_SETGID'],
  [`${StartStep.user} EPERM`]: ['another user or group takes root, or CAP_SETUID and CAP_SETGID'],
  [`${StartStep.clone} EAGAIN`]: [
    'as many processes are there as the user (nproc) or the control group (pids.max) may have',
  ],
  [`${StartStep.exec} EAGAIN`]: ['its user has as many processes as the limit nproc allows'],
  [`${StartStep.exec} ENOENT`]: ['the interpreter that its first line or its ELF header names is not there'],
  [`${StartStep.exec} ENOEXEC`]: [
    'it is no program of this machine, and no script with a #! line',
    'INVALID_ARGUMENT',
  ],
  [`${StartStep.exec} E2BIG`]: ['its arguments and environment are too long', 'INVALID_ARGUMENT'],
  [`${StartStep.exec} ETXTBSY`]: ['somebody has it open to write', 'BUSY'],
}

function failure(spec: { path: string; directory: StartSpec['directory'] }, errno: number, step: StartStep) {
  const name = errnoName(errno)
  const [hint, code = codeOfErrno(errno)] = HINTS[`${step} ${name}`] ?? []
  const isDirectory = step === StartStep.directory
  const isProgram = step === StartStep.exec || step === StartStep.executable
  const where = isDirectory ? ` ${JSON.stringify(spec.directory)}` : ''
  return new ProcmusterError(code, {
    message: `${notStarted(spec.path)}: ${wordedStep(step)}${where} (${name})${hint === undefined ? '' : `: ${hint}`}`,
    path: isProgram ? spec.path : isDirectory ? String(spec.directory) : undefined,
    errno,
  })
}
