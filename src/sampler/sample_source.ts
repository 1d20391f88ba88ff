import { constants } from 'node:os'
import { codeOfErrno, errnoName, ProcmusterError } from '../errors.js'
import type { NativeSampler } from '../native.js'
import { bpfObstacle, type Obstacle, obstacleError } from '../system/kernel_support.js'
import type { Source } from '../table/table.js'

const REFUSAL_BYTES = 4096
const ABSENT: Readonly<Record<number, string>> = {
  [constants.errno.ENOENT]: ': it lists no process; is proc mounted there?',
}

/** How a source is to be chosen and opened. */
interface SourceSettings {
  readonly wanted: 'auto' | Source
  readonly procRoot: string
  readonly threads: number
  readonly descriptors: number
}

/** Where the addon's samples come from. */
export class SampleSource {
  readonly #native: NativeSampler
  readonly #settings: SourceSettings
  #name: Source = 'procfs'
  #reason = ''
  #isExact = false

  constructor(native: NativeSampler, settings: SourceSettings) {
    this.#native = native
    this.#settings = settings
  }

  get name(): Source {
    return this.#name
  }

  /** One line: why this source, and why not the other. */
  get reason(): string {
    return this.#reason
  }

  /** The bpf source was opened with `exactRss`. */
  get isExact(): boolean {
    return this.#isExact
  }

  async open(exactRss: boolean): Promise<void> {
    const { wanted } = this.#settings
    const obstacle = wanted === 'procfs' ? undefined : await this.#openBpf(exactRss)
    if (wanted !== 'procfs' && obstacle === undefined) {
      this.#name = 'bpf'
      this.#isExact = exactRss
      this.#reason = 'bpf: the kernel fills the table by itself'
    } else if (wanted === 'bpf') {
      throw obstacleError('the bpf source cannot be had', obstacle!)
    } else {
      await this.#openProcfs(procfsReason(obstacle))
    }
  }

  /** The kernel has let its program run so far, and does not any more. */
  async leaveBpf(errno: number): Promise<void> {
    const { wanted, procRoot } = this.#settings
    const obstacle = bpfObstacle({ procRoot })
    const why = `the kernel refused to run its program (${errnoName(errno)}${obstacle ? `: ${obstacle.reason}` : ''})`
    if (wanted === 'bpf') {
      const code = codeOfErrno(errno)
      throw new ProcmusterError(code === 'ACCESS_DENIED' ? code : 'UNSUPPORTED', {
        message: `${why}; ${obstacle?.remedy ?? "open a sampler with source 'auto', which goes on with procfs"}`,
        errno,
      })
    }
    await this.#openProcfs(`procfs, after bpf: ${why}`)
  }

  /** For a sample that could not be taken. */
  failure(errno: number): ProcmusterError {
    const { procRoot } = this.#settings
    // The addon's word for a sampler that was closed.
    const isClosed = errno === constants.errno.ECANCELED || errno === constants.errno.EBADF
    return new ProcmusterError(isClosed ? 'CLOSED' : codeOfErrno(errno), {
      message: isClosed
        ? 'the sampler was closed during a sample'
        : `cannot sample '${procRoot}'${ABSENT[errno] ?? ''} (${errnoName(errno)})`,
      path: procRoot,
      errno,
    })
  }

  /** What was in the way, or undefined once it is open. */
  async #openBpf(exactRss: boolean): Promise<Obstacle | undefined> {
    const obstacle = bpfObstacle({ procRoot: this.#settings.procRoot })
    if (obstacle !== undefined) return obstacle
    const out = new Float64Array(2)
    const refusal = new Uint8Array(REFUSAL_BYTES)
    await this.#native.openBpf(exactRss, refusal, out)
    const [errno] = out as unknown as [number]
    if (errno === 0) return undefined
    const end = refusal.indexOf(0)
    const words = new TextDecoder().decode(refusal.subarray(0, end < 0 ? REFUSAL_BYTES : end)).trim()
    return {
      code: 'REFUSED',
      reason: `the kernel refused to load its program (${errnoName(errno)})${words === '' ? '' : `: ${words.replace(/\s+/g, ' ')}`}`,
      remedy: 'look whether a security module or a seccomp filter forbids bpf(2), or take procfs',
    }
  }

  async #openProcfs(reason: string): Promise<void> {
    const { procRoot, threads, descriptors } = this.#settings
    const out = new Float64Array(2)
    await this.#native.openProcfs(procRoot, threads, descriptors, out)
    if (out[0] !== 0) throw this.failure(out[0]!)
    this.#name = 'procfs'
    this.#reason = reason
  }
}

function procfsReason(obstacle: Obstacle | undefined): string {
  return obstacle === undefined
    ? 'procfs: it was asked for'
    : `procfs: no bpf here, for ${obstacle.reason}; to have it, ${obstacle.remedy}`
}
