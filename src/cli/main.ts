#!/usr/bin/env node
// Apart from run.ts, so that an addon that cannot be loaded is told in a line, and not by a stack.
try {
  await import('./run.js')
} catch (error) {
  const debug = process.argv.includes('--debug')
  const { message = String(error), stack = message } = error as Partial<Error>
  process.stderr.write(debug ? `${stack}\n` : `muster: ${message.replaceAll(/\s*\n\s*/g, '; ')}\n`)
  process.exitCode = 1 // EXIT.failure; its module cannot be loaded here
}
