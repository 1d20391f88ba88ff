import type { Command } from 'commander'
import { PID_EXIT_CODES, pidCommand } from './pid_command.js'

export function command(): Command {
  return pidCommand('map', 'show what the memory of a process is made of')
    .option('-a, --all', 'every mapping, not only the sums of each class; with --json too')
    .addHelpText('after', HELP)
    .action(async (word: string | undefined, raw: { all?: boolean; json?: boolean }) =>
      (await import('./map.js')).showMap(word, raw),
    )
}

const HELP = `
  Classes: text, data and bss of the program; heap; stack; threadStack; sharedObject; mappedFile; sharedMemory; anonymous;
  vdso, vvar, vsyscall; other. PSS counts a page that n processes share as 1/n. A class that was concluded from the
  mappings around it has a ? behind it.

Examples:
  muster map 1234
  muster map 1234 --all | sort -k4 -h | tail   those with most resident memory
  muster map 1234 --json | jq '.totals.heap.rssBytes'

${PID_EXIT_CODES}`
