import { constants } from 'node:fs'
import { link, lstat, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { uncapProcess } from '../../public/cgroups.js'
import { identify } from '../../public/control.js'
import { ProcmusterError } from '../../public/errors.js'
import { readProcFiles } from '../../public/inspect.js'
import { dropPidFile } from '../../public/spawn.js'
import type { ProcessIdentity } from '../../public/table.js'
import { EXIT } from '../exit_codes.js'
import { fail } from '../fault.js'
import { quoted } from '../values.js'

/** What is kept of a program in the background, a file each. */
export interface Job {
  readonly version: 1
  readonly name: string
  readonly pid: number
  readonly startTicks: number
  /** Pids and ticks begin anew with each boot. */
  readonly bootId: string
  readonly startedAtMs: number
  readonly program: string
  readonly arguments: readonly string[]
  readonly directory: string
  readonly log: string
  /** The log is one of muster's own, and goes with the job. */
  readonly ownLog: boolean
  readonly pidFile: string | null
  /** It has a control group of its own. */
  readonly capped: boolean
  /** The signal that `muster jobs stop` ended it by. */
  readonly stoppedBy: string | null
}

export type JobState = 'running' | 'suspended' | 'ended'

/** A name that no other job has, before there is a job. */
export type Reserved = Pick<Job, 'version' | 'name' | 'bootId' | 'log' | 'ownLog'>

const NAME = /^(?!\d+$)\w[\w.-]{0,63}$/
const MOST_NAMES = 10_000

export const identityOf = ({ pid, startTicks }: Job): ProcessIdentity => ({ pid, startTicks, settled: true })

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
      const { code } = error as NodeJS.ErrnoException
      if (code === undefined) throw error
      fail(EXIT.directory, `${shown} cannot be used (${code}); set XDG_STATE_HOME to one that can`)
    }
    return new JobStore(directory, (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim())
  }

  /** In the order of their starts. What cannot be read as a job is none. */
  async list(): Promise<Job[]> {
    const names = (await readdir(this.#directory)).filter((name) => name.endsWith('.json'))
    const read = await Promise.all(names.map((name) => this.#read(name.slice(0, -'.json'.length))))
    return read.filter((job) => job !== undefined).sort((a, b) => a.startedAtMs - b.startedAtMs)
  }

  async stateOf(job: Job): Promise<JobState> {
    if (job.bootId !== this.#bootId) return 'ended'
    try {
      const identity = await identify(job.pid)
      if (identity.startTicks !== job.startTicks) return 'ended'
      const [file] = await readProcFiles(identity, { files: ['stat'] })
      if (file!.error !== undefined) throw file!.error
      const stat = file!.data.toString('latin1')
      const state = stat[stat.lastIndexOf(')') + 2]
      return state === 'Z' || state === 'X' ? 'ended' : state === 'T' ? 'suspended' : 'running'
    } catch (error) {
      if (error instanceof ProcmusterError && error.code === 'PROCESS_GONE') return 'ended'
      throw error
    }
  }

  /** A name that was asked for may be that of a job which has ended, whose place the new one takes. */
  async reserve(wanted: string | undefined, program: string, log: string | undefined): Promise<Reserved> {
    if (wanted === undefined) return this.#reserveNear(defaultName(program), log)
    if (!NAME.test(wanted)) {
      fail(
        EXIT.malformed,
        `--name ${quoted(wanted)} is no name of a job; give up to 64 letters, digits and . _ -, not digits alone`,
      )
    }
    const before = await this.#read(wanted)
    if (before !== undefined) {
      if ((await this.stateOf(before)) !== 'ended') {
        fail(
          EXIT.failure,
          `a job ${quoted(wanted)} is there (pid ${before.pid}); give another --name, or end it with muster jobs stop ${wanted}`,
        )
      }
      await this.tidy(before)
      await this.forget(before)
    }
    return this.#reservation(wanted, log).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
      const path = quoted(this.#path(wanted, 'log'))
      return fail(
        EXIT.failure,
        `the log ${path} is there without a job: another start has the name at this moment, or was killed; remove it then`,
      )
    })
  }

  /** Written whole, before anybody can see it. */
  async add(job: Job): Promise<void> {
    const fresh = await this.#write(job)
    await link(fresh, this.#path(job.name, 'json')).finally(() => rm(fresh))
  }

  async replace(job: Job): Promise<void> {
    await rename(await this.#write(job), this.#path(job.name, 'json'))
  }

  /** The record, and the log where it is one of muster's own. */
  async forget({ name, log, ownLog }: Reserved): Promise<void> {
    await rm(this.#path(name, 'json'), { force: true })
    if (ownLog) await rm(log, { force: true })
  }

  /** What it leaves elsewhere, of a job that has ended. */
  async tidy(job: Job): Promise<void> {
    if (job.pidFile !== null) await dropPidFile(job.pidFile, identityOf(job))
    if (job.capped && job.bootId === this.#bootId) await uncapProcess([identityOf(job)], { force: true })
  }

  async #reserveNear(name: string, log: string | undefined): Promise<Reserved> {
    for (let number = 1; number < MOST_NAMES; number++) {
      const candidate = number === 1 ? name : `${name}-${number}`
      if ((await this.#read(candidate)) !== undefined) continue
      try {
        return await this.#reservation(candidate, log)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
    }
    return fail(
      EXIT.failure,
      `there are too many jobs ${quoted(name)}; muster jobs clean forgets those that have ended`,
    )
  }

  // Whoever makes the log has the name.
  async #reservation(name: string, log: string | undefined): Promise<Reserved> {
    const shared = { version: 1, name, bootId: this.#bootId } as const
    if (log !== undefined) return { ...shared, log: resolve(log), ownLog: false }
    const path = this.#path(name, 'log')
    await (await open(path, 'wx', 0o600)).close()
    return { ...shared, log: path, ownLog: true }
  }

  async #read(name: string): Promise<Job | undefined> {
    try {
      const job = JSON.parse(await readFile(this.#path(name, 'json'), 'utf8')) as Job
      return job.version === 1 && job.name === name ? job : undefined
    } catch {
      return undefined
    }
  }

  async #write(job: Job): Promise<string> {
    const path = `${this.#path(job.name, 'json')}.${process.pid}`
    await writeFile(path, `${JSON.stringify(job)}\n`, { flag: 'wx', mode: 0o600 })
    return path
  }

  #path(name: string, kind: 'json' | 'log'): string {
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
