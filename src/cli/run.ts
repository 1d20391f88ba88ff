import { CommanderError } from 'commander'
import { EXIT } from './exit_codes.js'
import { faultsOf, messageOf } from './fault.js'
import { helpWords, wholeName } from './help_words.js'
import { endQuietlyOnBrokenPipe } from './output.js'
import { createProgram, HELP_WIDTH } from './program.js'
import { output } from './stop_signals.js'
import { escapeForTerminal } from './terminal.js'
import { wrapHelp } from './wrap.js'

const SIGPIPE_EXIT = 141
const debug = process.argv.includes('--debug')

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // commander has printed its line already; help and version are no failures.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  }
  const faults = faultsOf(error)
  for (const fault of faults) process.stderr.write(`muster: ${fault.message}\n`)
  if (debug && error instanceof Error)
    process.stderr.write(`${escapeForTerminal(error.stack ?? '').replaceAll('\\n', '\n')}\n`)
  return faults[0].exitCode
}

function refuseToGoOn(error: unknown): never {
  process.stderr.write(
    `muster: unexpected failure: ${messageOf(error)}${debug ? '' : ' (--debug prints the stack)'}\n`,
  )
  if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  process.exit(EXIT.failure)
}

// Node would open its debugger to every user of the host.
process.on('SIGUSR1', () => {})
process.on('uncaughtException', refuseToGoOn)
process.on('unhandledRejection', refuseToGoOn)
endQuietlyOnBrokenPipe(
  [process.stdout, process.stderr],
  () => {
    // A command that has to stop cleanly listens for it as for a signal.
    if (!output.emit('closed')) process.exit(SIGPIPE_EXIT)
  },
  (why) => {
    process.stderr.write(`muster: cannot write the output: ${why}\n`)
    process.exit(EXIT.failure)
  },
)

const words = process.argv.slice(2)
const program = await createProgram(words)
for (const command of [program, ...program.commands.flatMap((each) => [each, ...each.commands])]) {
  command.exitOverride().configureOutput({
    writeOut: (text) => process.stdout.write(wrapHelp(text, HELP_WIDTH)),
    writeErr: (text) => process.stderr.write(wrapHelp(text, HELP_WIDTH)),
    outputError: (text) =>
      process.stderr.write(
        `muster: ${escapeForTerminal(text.trim())
          .replace(/^error: |\.$/g, '')
          .replaceAll('\\n', ' ')}; see \`${wholeName(command)} --help\`\n`,
      ),
  })
}
try {
  await program.parseAsync(helpWords(program, words), { from: 'user' })
} catch (error) {
  process.exitCode = report(error)
}
