import { Argument, Command } from 'commander'

export function command(): Command {
  return new Command('states')
    .description('count processes by state, with what each letter means; list those in a state')
    .addArgument(new Argument('[letters]', 'list the processes in these states, for example D or D,Z'))
    .option('--list', 'list the processes of all states')
    .option('-j, --json', 'JSON: total, states, and with a list processes')
    .addHelpText('after', HELP)
    .action(async (letters: string | undefined, raw: { list?: boolean; json?: boolean }) =>
      (await import('./states.js')).tellStates(letters, raw),
    )
}

const HELP = `
  Listed are for D where in the kernel it waits (root may see more), for Z the parent that has not waited for it.

Examples:
  muster states
  muster states D                    who is stuck, and in what
  muster states D,Z --json
  muster states --list

Exit codes: 0 success, also where nobody is in that state; 2, 3, 4 bad input. \`muster --help\` lists all.`
