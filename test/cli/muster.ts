import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { PATIENCE, waitFor } from '../fixtures/processes.js'

export const MUSTER = fileURLToPath(new URL('../../dist/muster/main.js', import.meta.url))

export interface RunOptions {
  uid?: number
  env?: Record<string, string>
  cwd?: string
  timeoutMs?: number
  /** Another script than muster's. */
  program?: string
  /** A command that executes what follows it. */
  through?: readonly string[]
}

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** A `muster` under way. */
export class Run {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], options: RunOptions = {}) {
    const { uid, env = {}, cwd, timeoutMs = 30_000, program = MUSTER, through = [] } = options
    const [command, ...words] = [...through, process.execPath, program, ...args] as [string, ...string[]]
    const child = spawn(command, words, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      ...(uid === undefined ? {} : { uid, gid: uid }),
      ...(cwd === undefined ? {} : { cwd }),
    })
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      this.stdout += chunk
    })
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      this.stderr += chunk
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs * PATIENCE)
    this.child = child
    this.ended = once(child, 'close').then(([code, signal]) => {
      clearTimeout(timer)
      runs.delete(this)
      return { code, signal, stdout: this.stdout, stderr: this.stderr } as Ended
    })
    runs.add(this)
  }

  get pid(): number {
    return this.child.pid!
  }

  /** Waits for text on stdout; fails early when the command ends without it. */
  async said(pattern: RegExp, timeoutMs = 15_000): Promise<RegExpExecArray> {
    return waitFor(
      () => {
        const match = pattern.exec(this.stdout)
        if (!match && this.child.exitCode !== null) throw new Error(`ended: ${this.stdout}${this.stderr}`)
        return match
      },
      { timeoutMs, what: `${pattern} in ${JSON.stringify(this.stdout + this.stderr)}` },
    )
  }

  /** Its output as JSON Lines. */
  records(): Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }
}

const runs = new Set<Run>()

/** Ends what a failed test left running; for `afterEach`. */
export async function endRuns(): Promise<void> {
  const left = [...runs]
  for (const run of left) run.child.kill('SIGKILL')
  await Promise.all(left.map((run) => run.ended))
}

export const muster = (args: readonly string[], options?: RunOptions): Promise<Ended> =>
  new Run(args, options).ended
