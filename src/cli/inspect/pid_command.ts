import { Argument, Command } from 'commander'

/** What every command about one process has. */
export function pidCommand(name: string, description: string, argument = 'the process'): Command {
  return new Command(name)
    .description(description)
    .addArgument(new Argument('[pid]', argument))
    .option('-j, --json', 'JSON with plain numbers (bytes, ms); what is not known is null')
}

export const PID_EXIT_CODES = `Exit codes: 0 success; 2, 3, 4 bad input; 5 no such process; 6 a process that this user may not look into.
\`muster --help\` lists all.`
