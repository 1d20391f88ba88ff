import { Argument, Command } from 'commander'

/**
 * What every command about one process has.
 * @param without what it tells without a process; a command that needs one has none
 */
export function pidCommand(name: string, description: string, without?: string): Command {
  // Not <pid>: that one is missing is ours to report.
  const command = new Command(name)
    .description(description)
    .addArgument(
      new Argument('[pid]', `the process${without === undefined ? '' : `; without it ${without}`}`),
    )
  if (without === undefined) command.usage('[options] <pid>')
  return command.option('-j, --json', 'JSON with plain numbers (bytes, ms); what is not known is null')
}

export const PID_EXIT_CODES = `Exit codes: 0 success; 2, 3, 4 bad input; 5 no such process; 6 a process that this user may not look into.
\`muster --help\` lists all.`
