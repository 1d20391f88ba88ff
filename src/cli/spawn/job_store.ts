import { constants } from 'node:fs'
import { access, lstat, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { uncapProcess } from '../../public/cgroups.js'
import { ProcmusterError } from '../../public/errors.js'
import { lockFile } from '../../public/lock.js'
import { dropPidFile, readKeptExit } from '../../public/spawn.js'
import { EXIT } from '../exit_codes.js'
import { fail } from '../fault.js'
import { quoted } from '../values.js'
import { identityOf, isJob, type Job, type JobNow } from './job.js'
import { ended, statesOf } from './job_session.js'

/** A name that no other job has, before there is a job. */
type Reserved = Pick<Job, 'version' | 'name' | 'bootId' | 'log' | 'ownLog'>

const NAME = /^(?!\d+$)\w[\w.-]{0,63}$/
const MOST_NAMES = 10_000
/** Longer than a start may take. */
const LOCK_WAIT_MS = 30_000
/** Longer than a keeper takes from the end of its job to its own. */
const KEEPER_WAIT_MS = 1000

/** The jobs of this user, in a directory that nobody else may look into. */
export class JobStore {
  readonly #directory: string
  readonly #bootId: string

  private constructor(directory: string, bootId: string) {
    this.#directory = directory
    this.#bootId = bootId
  }

  static async open(): Promise<JobStore> {
    const base = process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state')
    const directory = resolve(base, 'muster', 'jobs')
    const shown = `the directory of the jobs ${quoted(directory)}`
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const { uid, mode } = await lstat(directory)
      if (
        uid !== process.geteuid!() ||
        (mode & 0o077) !== 0 ||
        (mode & constants.S_IFMT) !== constants.S_IFDIR
      ) {
        fail(
          EXIT.directory,
          `${shown} has to be one of yours that nobody else may use; chmod 700 it, or set XDG_STATE_HOME`,
        )
      }
    } catch (error) {
      let { code } = error as NodeJS.ErrnoException
      if (code === undefined) throw error
      // Which a recursive mkdir of Node also says of a file system that is read-only.
      if (code === 'ENOENT') await access(base, constants.W_OK).catch((why) => (code = why.code))
      fail(EXIT.directory, `${shown} cannot be used (${code}); set XDG_STATE_HOME to one that can`)
    }
    const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(({ code }) =>
      fail(EXIT.failure, `which jobs are of this boot is not known (${code}); is proc mounted on /proc?`),
    )
    return new JobStore(directory, bootId.trim())
  }

  /** While no other muster starts or forgets a job of this user. */
  async locked<Result>(work: () => Promise<Result>): Promise<Result> {
    const path = join(this.#directory, '.lock')
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    try {
      if (!(await lockFile(file, path, LOCK_WAIT_MS))) {
        fail(EXIT.failure, `another muster is starting a job all the time (${quoted(path)}); try again`)
      }
      return await work()
    } finally {
      await file.close()
    }
  }

  /** In the order of their starts. What cannot be read as a job is none. */
  async list(): Promise<JobNow[]> {
    const names = (await readdir(this.#directory)).filter((name) => name.endsWith('.json'))
    const read = await Promise.all(names.map((name) => this.#read(name.slice(0, -'.json'.length))))
    const jobs = read.filter((job) => job !== undefined).sort((a, b) => a.startedAtMs - b.startedAtMs)
    return this.#now(jobs)
  }

  /** The same job, as it is now. */
  async again({ name, pid, startTicks, bootId }: Job): Promise<JobNow | undefined> {
    const job = await this.#read(name)
    const isSame = job?.pid === pid && job.startTicks === startTicks && job.bootId === bootId
    return isSame ? (await this.#now([job]))[0] : undefined
  }

  /**
   * While it is locked, until the job is put or forgotten. A name that was asked for may be that of a job which has
   * ended, whose place the new one takes.
   */
  async reserve(wanted: string | undefined, program: string, log: string | undefined): Promise<Reserved> {
    const name = wanted ?? (await this.#nameNear(defaultName(program)))
    if (!NAME.test(name)) {
      fail(
        EXIT.malformed,
        `--name ${quoted(name)} is no name of a job; give up to 64 letters, digits and . _ -, not digits alone`,
      )
    }
    await this.#makeRoom(name)
    const shared = { version: 1, name, bootId: this.#bootId } as const
    if (log !== undefined) return { ...shared, log: resolve(log), ownLog: false }
    const path = this.#path(name, 'log')
    await (await open(path, 'wx', 0o600)).close()
    return { ...shared, log: path, ownLog: true }
  }

  /** While it is locked. Written whole, before anybody can see it. */
  async put(job: Job): Promise<void> {
    const path = this.#path(job.name, 'json')
    try {
      await writeFile(`${path}.new`, `${JSON.stringify(job)}\n`, { mode: 0o600 })
      await rename(`${path}.new`, path)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === undefined) throw error
      await rm(`${path}.new`, { force: true }).catch(() => {})
      fail(
        EXIT.directory,
        `the record of job ${quoted(job.name)} cannot be written: ${quoted(path)} (${code})`,
      )
    }
  }

  /** What its keeper writes. */
  exitFile(name: string): string {
    return this.#path(name, 'exit')
  }

  /** While it is locked. The record, and the log where it is one of muster's own. */
  async forget({ name, log, ownLog }: Reserved): Promise<void> {
    await rm(this.#path(name, 'json'), { force: true })
    await rm(this.exitFile(name), { force: true })
    if (ownLog) await rm(log, { force: true })
  }

  /** What it leaves elsewhere, of a job that has ended. */
  async tidy(job: Job): Promise<void> {
    if (job.pidFile !== null) await dropPidFile(job.pidFile, identityOf(job))
    if (job.capped && job.bootId === this.#bootId) await uncapProcess([identityOf(job)], { emptyOnly: true })
  }

  async #now(jobs: readonly Job[]): Promise<JobNow[]> {
    const states = await statesOf(jobs, this.#bootId)
    return Promise.all(
      jobs.map(async (job, index) => {
        const state = states[index]!
        const mayBeKept = state === 'ended' || state === 'orphaned'
        if (mayBeKept && job.bootId === this.#bootId) await this.#keeperEnd(job)
        const exit = mayBeKept ? await readKeptExit(job, this.exitFile(job.name)) : undefined
        return { ...job, state, exit: exit ?? null }
      }),
    )
  }

  /** It writes right after the job has ended. One that is stopped, or another user's by now, is not waited for long. */
  async #keeperEnd({ keeper }: Job): Promise<void> {
    await ended(keeper, AbortSignal.timeout(KEEPER_WAIT_MS)).catch((error: unknown) => {
      if (!(error instanceof ProcmusterError)) throw error
    })
  }

  async #nameNear(name: string): Promise<string> {
    const taken = new Set(await readdir(this.#directory))
    for (let number = 1; number < MOST_NAMES; number++) {
      const candidate = number === 1 ? name : `${name}-${number}`
      if (!taken.has(`${candidate}.json`) && !taken.has(`${candidate}.log`)) return candidate
    }
    return fail(
      EXIT.failure,
      `there are too many jobs ${quoted(name)}; muster jobs clean forgets those that have ended`,
    )
  }

  async #makeRoom(name: string): Promise<void> {
    const before = await this.#read(name)
    if (before !== undefined) {
      const [{ state, pid }] = (await this.#now([before])) as [JobNow]
      if (state !== 'ended') {
        fail(
          EXIT.failure,
          `a job ${quoted(name)} is there (pid ${pid}); give another --name, or end it with muster jobs stop ${name}`,
        )
      }
      await this.tidy(before)
      await this.forget(before)
    }
    const taken = new Set(await readdir(this.#directory))
    const left = [`${name}.json`, `${name}.log`].find((each) => taken.has(each))
    if (left !== undefined) {
      const path = quoted(join(this.#directory, left))
      fail(EXIT.failure, `${path} is there without a job, of a start that was killed; remove it`)
    }
  }

  async #read(name: string): Promise<Job | undefined> {
    try {
      const path = this.#path(name, 'json')
      if (!(await lstat(path)).isFile()) return undefined
      const job: unknown = JSON.parse(await readFile(path, 'utf8'))
      return isJob(job) && job.name === name ? job : undefined
    } catch {
      return undefined
    }
  }

  #path(name: string, kind: 'json' | 'log' | 'exit'): string {
    return join(this.#directory, `${name}.${kind}`)
  }
}

function defaultName(program: string): string {
  const name = basename(program)
    .replaceAll(/[^\w.-]/g, '_')
    .replace(/^[.-]+/, '')
    .slice(0, 56)
  return NAME.test(name) ? name : `job-${name}`
}
