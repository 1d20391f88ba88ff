import type { Command } from 'commander'
import { pidCommand } from './pid_command.js'
import { addTrackOptions, type RawTrack } from './track_options.js'

export function command(): Command {
  return addTrackOptions(pidCommand('track', 'record what a process uses, a line for each sample'))
    .addHelpText('after', HELP)
    .action(async (word: string | undefined, raw: RawTrack) =>
      (await import('./track.js')).trackProcess(word, raw),
    )
}

const HELP = `
  A record: line below line, to be kept, or read by a program. \`muster monitor\` shows more of it, in place, to be looked at.
  It ends with the process, too. CPU is in percent of a core since the line before, READ and WRITE are bytes a second from and to
  storage. A dash stands for what the first line cannot have, or may not be read; --json says why, a line for each sample.

Examples:
  muster track 1234
  muster track 1234 --interval 0.2 --for 30s
  muster track 1234 --for 1m --json | jq '.memory.rssBytes'

Exit codes: 0 success, also when the process has ended; 2, 3, 4 bad input; 5 no such process; 129, 130, 143 it was stopped.
\`muster --help\` lists all.`
