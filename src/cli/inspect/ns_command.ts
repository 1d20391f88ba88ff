import type { Command } from 'commander'
import { PID_EXIT_CODES, pidCommand } from './pid_command.js'

export function command(): Command {
  return pidCommand('ns', 'list namespaces: of a process, or of the host', 'all that a process is in')
    .addHelpText('after', HELP)
    .action(async (word: string | undefined, raw: { json?: boolean }) =>
      (await import('./ns.js')).listNamespacesOf(word, raw),
    )
}

const HELP = `
Examples:
  muster ns                          every namespace, with how many are in it
  muster ns 1234
  muster who 'net:[4026531840]'      who is in one

${PID_EXIT_CODES}`
