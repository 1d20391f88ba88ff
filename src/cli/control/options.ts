import { Argument, Command, Option } from 'commander'

/** Flags that all commands have which change processes. */
export interface RawControl {
  force?: boolean
  json?: boolean
}

/** A command that does something to the processes named, with the flags of them all. */
export function controlCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--force', 'also pid 1 and kernel threads, which are refused otherwise, and muster itself')
    .option('-j, --json', 'a JSON array on stdout, an object per process; errors in it too')
}

export const pidArgument = (): Argument => new Argument('<pid...>', 'one or more, also as a list: 12,34')

/** Of what the kernel keeps for each thread. */
export const leaderOption = (): Option =>
  new Option(
    '--leader',
    'of the main thread alone, as chrt, taskset and ionice do it; of all threads otherwise',
  )

/** The end of each help text. */
export const EXIT_HELP = `
  Each pid is pinned to the process that has it when the command begins; what has ended by then is exit code 5, and one
  that takes its pid afterwards is never touched. The other processes are done all the same; the first failure
  decides the exit code.

Exit codes: 0 done; 1 failed, not in time, or not possible here; 2, 3, 4 bad input; 5 no such process; 6 no permission,
  or protected (--force). \`muster --help\` lists all.`
