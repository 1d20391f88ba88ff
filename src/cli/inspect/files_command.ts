import type { Command } from 'commander'
import { PID_EXIT_CODES, pidCommand } from './pid_command.js'

export function command(): Command {
  return pidCommand('files', 'list the open files of a process')
    .option('-a, --all', 'also the files that are mapped into its memory')
    .option('--peers', 'who is at the other end of its pipes and connected sockets, on this host')
    .addHelpText('after', HELP)
    .action(async (word: string | undefined, raw: { peers?: boolean; all?: boolean; json?: boolean }) =>
      (await import('./files.js')).listFiles(word, raw),
    )
}

const HELP = `
  FD: a descriptor's number, or as lsof(8) has it cwd, rtd (root), txt (program) and with --all mem (mapped).
  ACCESS: r read, w write, rw both, p a mere path (O_PATH). A cell that could not be read is shown as -.
  Of a socket TARGET is its protocol, state and addresses, and its number where its network namespace does not tell them.
  --peers joins unix sockets by what the kernel tells of its own network namespace (of others with CAP_SYS_ADMIN), and TCP
  sockets by their addresses, a line for each at the other end. OTHER is - where that is on another host, or nobody's who
  may be looked into.

Examples:
  muster files 1234
  muster files 1234 --peers
  muster files 1234 --json | jq '[.[] | select(.isDeleted)]'
                                        space that is not free until it ends

${PID_EXIT_CODES}`
