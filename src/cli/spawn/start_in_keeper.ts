import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { EXIT } from '../exit_codes.js'
import { fail } from '../fault.js'

// `muster run -b` starts the program in a second muster, which is its parent and becomes the keeper of its exit code; the
// first one is whom the shell waits for, and loads nothing of what the second one needs.

/** Where the second muster tells the first one what it has started. */
export const TOLD_FD = 3

/** The same command line in a second muster. Sets the exit code where that fails, and has said why. */
export async function startInKeeper(): Promise<void> {
  const words = process.argv.slice(1)
  const at = words.indexOf('run', 1) + 1
  const child = spawn(process.execPath, [...process.execArgv, ...words.toSpliced(at, 0, '--kept')], {
    // In a session of its own Ctrl-C and the end of the terminal don't reach it.
    detached: true,
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  })
  const exited = once(child, 'exit')
  // Ends when it has become the keeper, too.
  const told = await text(child.stdio[TOLD_FD] as Readable)
  if (told !== '') {
    process.stdout.write(told)
    child.unref()
    return
  }
  const [code, signal] = (await exited) as [number | null, string | null]
  if (code === null) fail(EXIT.failure, `the start of the job was ended by ${signal}; give the command again`)
  process.exitCode = code
}
