import type { Command } from 'commander'
import { valueOption } from '../value_option.js'
import type { RawNetOptions } from './net.js'
import { PID_EXIT_CODES, pidCommand } from './pid_command.js'
import { PROTOCOLS } from './protocols.js'

export function command(): Command {
  return pidCommand('net', 'list sockets: of a process, or of the host', 'all of this network namespace')
    .option('-l, --listen', 'those only that wait for others')
    .addOption(
      valueOption(
        '--protocol <LIST>',
        'of these protocols (default: of a process all, else all but unix)',
        PROTOCOLS,
      ),
    )
    .addHelpText('after', HELP)
    .action(async (word: string | undefined, raw: RawNetOptions) =>
      (await import('./net.js')).listSockets(word, raw),
    )
}

const HELP = `
  RECV-Q: bytes not read yet, of a listening one connections not accepted yet. SEND-Q: bytes not acknowledged yet.
  WHO: process and descriptor; - where nobody has it any more (TIME_WAIT), or nobody whom this user may look into.

Examples:
  muster net --listen
  muster net 1234
  muster net --protocol unix --json | jq '[.[] | select(.state == "LISTEN")]'

${PID_EXIT_CODES}`
