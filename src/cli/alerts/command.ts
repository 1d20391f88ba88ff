import { Command } from 'commander'
import { valueOption } from '../value_option.js'
import type { RawList } from './list.js'
import { directoryOption, journalOption } from './options.js'
import { ALERT_STATES, DEFAULT_LIMIT, SEVERITIES } from './words.js'

/** `muster alerts` */
export function command(): Command {
  return new Command('alerts')
    .description('list the alerts of a watch, the silences in force, and requests that wait')
    .addOption(directoryOption())
    .addOption(journalOption())
    .addOption(valueOption('--state <STATE>', 'only those in this state', ALERT_STATES))
    .addOption(valueOption('--severity <SEVERITY>', 'only those of this severity', SEVERITIES))
    .addOption(valueOption('--rule <NAME>', 'only those of this rule'))
    .addOption(valueOption('-p, --pid <PID>', 'only those about this process'))
    .addOption(valueOption('--limit <N>', `at most so many, the newest (default: ${DEFAULT_LIMIT})`))
    .option('-j, --json', 'one JSON object instead of text')
    .addHelpText('after', HELP)
    .action(async (raw: RawList) => (await import('./list.js')).list(raw))
}

const HELP = `
Lines (since when, severity, state, id, rule and message; newest first):
  firing     it lasts
  resolved   it is over
  unknown    the watch that raised it ended first, and it has not fired again since
  Then silences in force, and what was asked of a watch that has not answered yet (muster unsilence ID takes it back).

  Names in messages are chosen by the processes themselves: control characters in them are written as escapes.

Examples:
  muster alerts -d ./evidence --state firing
  muster alerts --journal /var/lib/muster.jsonl --severity critical --limit 10
  muster alerts -d ./evidence --state firing --json | jq -r '.alerts[].id'

Exit codes: 0 also when there are none; 2, 3, 4 bad input; 6 not permitted; 7 no such journal.
\`muster --help\` lists all.`
