import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { waitFor } from '../../fixtures/processes.js'
import { MUSTER } from '../muster.js'

const run = promisify(execFile)
let count = 0

export const hasTmux: boolean = await run('tmux', ['-V']).then(
  () => true,
  () => false,
)
if (!hasTmux) console.warn('SKIPPED: muster top on a real terminal, because tmux is not installed')

/** A real terminal of a size, with a shell's `muster top` on it; its server is of its own and ends with `close`. */
export class Terminal implements AsyncDisposable {
  readonly #socket = join(tmpdir(), `procmuster-tmux-${process.pid}-${++count}`)

  static async open(
    args: readonly string[],
    options: { columns?: number; rows?: number; env?: Record<string, string>; after?: string } = {},
  ): Promise<Terminal> {
    const { columns = 80, rows = 24, env = {}, after = 'exec cat' } = options
    const terminal = new Terminal()
    const command = [process.execPath, MUSTER, 'top', ...args].map(quoted).join(' ')
    const variables = Object.entries({ LC_ALL: 'C.UTF-8', ...env }).flatMap((each) => ['-e', each.join('=')])
    // A shell that is there before and after shows whether the terminal was left as it was found.
    const shell = `set -m; printf 'before\\n'; ${command}; printf 'exit code %s\\n' $?; ${after}`
    const size = ['-x', String(columns), '-y', String(rows)]
    await terminal.#tmux('-f', '/dev/null', 'new-session', '-d', ...size, ...variables, 'sh', '-c', shell)
    return terminal
  }

  /** As the keyboard would send them: `Down`, `F5`, `C-c`, `k`. */
  async press(...keys: string[]): Promise<void> {
    await this.#tmux('send-keys', ...keys)
  }

  async type(text: string): Promise<void> {
    await this.#tmux('send-keys', '-l', text)
  }

  /** As from a clipboard, told from typing where the program has asked for that. */
  async paste(text: string): Promise<void> {
    await this.#tmux('set-buffer', text)
    await this.#tmux('paste-buffer', '-p')
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux('resize-window', '-x', String(columns), '-y', String(rows))
  }

  /** The lines that are seen, with trailing blanks cut; `styled` with the escapes of their colours. */
  async lines({ styled = false } = {}): Promise<string[]> {
    const { stdout } = await this.#tmux('capture-pane', '-p', ...(styled ? ['-e'] : []))
    return stdout.split('\n').slice(0, -1)
  }

  /** Waits until the screen has it, and gives the match. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    let seen = ''
    const found = async () => {
      seen = (await this.lines()).join('\n')
      return pattern.exec(seen)
    }
    return await waitFor(found, { timeoutMs: 20_000, intervalMs: 50 }).catch((cause: unknown) => {
      throw new Error(`${pattern} is not on the screen:\n${seen}`, { cause })
    })
  }

  async format(what: string): Promise<string> {
    return (await this.#tmux('display-message', '-p', `#{${what}}`)).stdout.trim()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux('kill-server').catch(() => undefined)
    await rm(this.#socket, { force: true })
  }

  #tmux(...args: string[]) {
    return run('tmux', ['-S', this.#socket, ...args])
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
