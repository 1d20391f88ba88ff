import { Argument, Command } from 'commander'
import { valueOption } from '../value_option.js'
import type { RawWhyOptions } from './tell.js'

export const DEFAULT_LIMIT = 20

export function command(): Command {
  return new Command('why')
    .description('tell from the journal what was seen, decided and done, and how it ended')
    .addArgument(
      new Argument('[what]', 'a PID, PID:STARTTICKS, or the id of an alert, a decision or an action'),
    )
    .addOption(
      valueOption('-d, --directory <DIRECTORY>', 'the directory of the watch; its journal is muster.jsonl'),
    )
    .addOption(valueOption('--journal <FILE>', 'the journal (default: DIRECTORY/muster.jsonl)'))
    .addOption(
      valueOption('--limit <NUMBER>', `the newest decisions, at most so many (default: ${DEFAULT_LIMIT})`),
    )
    .option('--all', 'every life of the PID, not only the newest')
    .option('-j, --json', 'one JSON object: subjects with decisions, alerts, actions, outcomes')
    .addHelpText('after', HELP)
    .action(async (what: string | undefined, raw: RawWhyOptions) =>
      (await import('./tell.js')).tell(what, raw),
    )
}

const HELP = `
Examples:
  muster why 1234 -d ./evidence         what was decided about it, newest first
  muster why 1a2b3c4d-7 -d ./evidence   an alert: decision, actions, outcome
  muster why 1234 --all --json -d ./evidence \\
    | jq '.subjects[].decisions[].decision.clauses'

Exit codes: 0 also when nothing was decided about a PID; 2, 3, 4 bad input; 5 no such id; 7 no such journal.
\`muster --help\` lists all.`
