import { Command } from 'commander'
import { sourceOption } from '../source_option.js'
import { valueOption } from '../value_option.js'
import type { RawEventsOptions } from './options.js'
import { EVENT_SOURCES, EVENT_TYPES } from './words.js'

export function command(): Command {
  return new Command('events')
    .description('print births, execs, ends and fatal signals of processes as they happen')
    .addOption(valueOption('-t, --type <LIST>', 'only these, separated by commas', EVENT_TYPES))
    .addOption(valueOption('-p, --pid <LIST>', 'of these PIDs only'))
    .addOption(valueOption('--ppid <LIST>', 'of children of these PIDs only'))
    .addOption(valueOption('-n, --name <TEXT>', 'of processes with TEXT in their name'))
    .option('--failed', 'only ends by a signal or with an exit code other than 0')
    .addOption(sourceOption('events', EVENT_SOURCES))
    .addOption(
      valueOption('-i, --interval <SECONDS>', 'with snapshots, time between two samples (default: 1)'),
    )
    .addOption(valueOption('--count <N>', 'stop after N events'))
    .addOption(valueOption('--for <DURATION>', 'stop after this time, for example 30s or 5m'))
    .option('-j, --json', 'JSON Lines on stdout instead of text; what is not known is null')
    .addHelpText('after', HELP)
    .action(async (raw: RawEventsOptions) => (await import('./session.js')).events(raw))
}

const HELP = `
Sources:
  bpf        everything: exit code or signal and who sent it, CPU time, peak memory, I/O, life time
  netlink    births, execs, ends with their exit code or signal; the names of very short lives are not known, and --name leaves those out
  snapshots  compares samples: what lives for less than the interval is not seen, exit codes are not known
  auto takes the first that works here and says which; \`muster doctor\` says what the others lack.

Lines (time, type, PID, name, parent, then by type):
  fork       a process was made; its name is still that of its parent
  exec       it runs another program
  exit       code, or signal and sender; how long it lived, its CPU time, peak memory, bytes read and written
  signal     a signal was sent that will end it, and by whom
  LOST       events were lost here because the reader did not keep up; the last line counts them

  stdout has the events, stderr the source and, at the end, the counts. With --json these are records of type
  events-start and events-stop on stdout. Names are chosen by the processes themselves: control characters in them
  are written as escapes.

Examples:
  muster events --type exit --failed    what fails here, and who killed what
  muster events --name nginx --type exec,exit
  muster events --ppid 1234 --for 10s --json   children of a process for 10 s
  muster events --type fork --count 1000 --json | jq -r '.ppid // empty' \\
    | sort | uniq -c | sort -n

Exit codes: 0 --count or --for reached; 2, 3, 4 bad input; 6 a source that is not permitted; 130 Ctrl-C.
\`muster --help\` lists all.`
