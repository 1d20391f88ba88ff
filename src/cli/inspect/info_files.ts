import { type ProcFile, readProcFiles } from '../../public/inspect.js'
import type { ProcessIdentity } from '../../public/table.js'
import { EXIT } from '../exit_codes.js'
import { escapeForTerminal } from '../terminal.js'
import { printJson } from './json.js'

// smaps of 60,000 mappings has 50 MiB.
const MAX_BYTES = 256 * 1024 * 1024
const TIMEOUT_MS = 10_000

/** Files of /proc/<pid> as the kernel writes them, by threads that a stall does not hold up. */
export async function showFiles(target: ProcessIdentity, names: readonly string[], json: boolean) {
  const files = await readProcFiles(target, {
    ...{ files: names, maxBytesPerFile: MAX_BYTES, timeoutMs: TIMEOUT_MS },
  })
  if (json) printJson(Object.fromEntries(files.map((file) => [file.name, jsonOf(file)])))
  else for (const file of files) show(file, files.length > 1)
  const denied = files.some(({ error }) => error?.code === 'ACCESS_DENIED')
  if (files.some(({ error }) => error !== undefined)) {
    process.exitCode = denied ? EXIT.permission : EXIT.failure
  }
}

const jsonOf = ({ data, truncated, error }: ProcFile) => ({
  text: error === undefined ? data.toString('utf8') : null,
  ...(truncated && { truncated }),
  ...(error !== undefined && { error: { code: error.code, reason: error.message } }),
})

function show({ name, data, truncated, error }: ProcFile, titled: boolean): void {
  if (error !== undefined) {
    process.stderr.write(`muster: --file ${name}: ${escapeForTerminal(error.message)}\n`)
    return
  }
  if (truncated) process.stderr.write(`muster: --file ${name}: only its first ${MAX_BYTES} bytes\n`)
  if (titled) process.stdout.write(`==> ${name} <==\n`)
  // A pipe gets every byte; to a terminal, what processes have chosen is hostile.
  if (!process.stdout.isTTY) {
    process.stdout.write(data)
    return
  }
  const lines = data.toString('utf8').replace(/\n$/, '').split('\n')
  process.stdout.write(
    `${lines.map((line) => line.split('\t').map(escapeForTerminal).join('\t')).join('\n')}\n`,
  )
}
