import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { ackCommand, silenceCommand, unsilenceCommand } from './alerts/ask_commands.js'
import { alertsCommand } from './alerts/list_command.js'
import { completionCommand } from './completion.js'
import { doctorCommand } from './doctor/command.js'
import { eventsCommand } from './events/command.js'
import { EXIT, exitCodeHelp } from './exit_codes.js'
import { fail } from './fault.js'
import { psCommand } from './ps/command.js'
import { rulesCommand } from './rules/command.js'
import { quoted } from './values.js'
import { watchCommand } from './watch/command.js'
import { whyCommand } from './why/command.js'

/** The whole command line of `muster`; also what the completion scripts are made from. */
export function createProgram(): Command {
  const program = new Command('muster')
    .description('Process engine for Linux: lists, watches, keeps evidence, restarts.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .option('--debug', 'on an unexpected failure print the stack too')
    .showSuggestionAfterError(true)
    .enablePositionalOptions(false)
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false })
    .addHelpText('after', `\n${EXAMPLES}\n\n${exitCodeHelp()}`)
  for (const command of [
    watchCommand(),
    psCommand(),
    eventsCommand(),
    alertsCommand(),
    ackCommand(),
    silenceCommand(),
    unsilenceCommand(),
    whyCommand(),
    doctorCommand(),
    rulesCommand(),
    completionCommand(() => program),
  ]) {
    program.addCommand(command.copyInheritedSettings(program))
    for (const inner of command.commands) inner.copyInheritedSettings(command)
    if (command.registeredArguments.length === 0 && command.commands.length === 0) {
      // commander counts what is too much; a person wants to know which word it was.
      command.allowExcessArguments(true).hook('preAction', () => refuseWords(command))
    }
  }
  return program
}

function refuseWords(command: Command): void {
  const [word] = command.args
  if (word === undefined) return
  const takesPid = command.options.some(({ long }) => long === '--pid')
  const hint = takesPid
    ? '; a process is given with -p PID'
    : `; \`muster ${command.name()} --help\` lists them`
  fail(EXIT.usage, `${quoted(word)} is no flag of muster ${command.name()}${hint}`)
}

const EXAMPLES = `Examples:
  muster ps --top memory                     the processes that use most memory
  muster ps --user www-data --min-cpu 5      what a user's processes are busy with
  muster watch -p 1234 -t 80 -i 5 -d ./evidence -r
                                             watch one process; over 80 % of memory keep evidence and restart it
  muster watch --name node --rule 'rss > 500MiB for 30s'
  muster events --type exit --failed         what fails as it happens, and who killed what
  muster alerts -d ./evidence --state firing what fires; muster ack ID, muster silence --rule NAME --for 2h
  muster why 1234 -d ./evidence              why a process was restarted: what was seen, decided and done
  muster rules check muster.yaml             what is wrong with a file of rules, with line and column
  muster doctor                              what works here, and how to grant the rest
  muster watch --help                        all flags, permissions, more examples`

function packageVersion(): string {
  // dist/cli/program.js lies two levels below the package root.
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return (manifest as { version: string }).version
}
