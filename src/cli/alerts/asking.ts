import { Command } from 'commander'
import { byOption, directoryOption, journalOption, waitOption } from './options.js'

export const EXIT_HELP = `
Exit codes: 0 done, or left for the next start (said on stderr);
2, 3, 4 bad input; 5 no such alert, silence or rule, or nothing to resume;
6 not permitted; 7 no such journal. \`muster --help\` lists all.`

/** A command that asks the watch for something, with the options of all of them. */
export function asking(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .addOption(directoryOption())
    .addOption(journalOption())
    .addOption(byOption())
    .addOption(waitOption())
    .option('-j, --json', 'the answer as JSON')
}
