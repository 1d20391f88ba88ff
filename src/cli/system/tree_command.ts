import { Argument, Command } from 'commander'
import type { RawTreeOptions } from './tree.js'

export function command(): Command {
  return new Command('tree')
    .description('draw who started whom, of the host or below a process')
    .addArgument(new Argument('[pid]', 'this process and its descendants; without it all'))
    .option('-p, --pids', 'with PIDs; nothing is folded then')
    .option('--threads', 'with threads, as {name}')
    .option('--ascii', 'lines of |, ` and -; the default where the locale is not UTF-8')
    .option('--no-fold', 'each child by itself, also where several look the same')
    .option('--command', 'with arguments, a line for each process')
    .option('--resources', 'a table: CPU, memory, processes and threads of each subtree')
    .option('-j, --json', 'a JSON array of roots, each with its children')
    .addHelpText('after', HELP)
    .action(async (word: string | undefined, raw: RawTreeOptions) =>
      (await import('./tree.js')).drawTree(word, raw),
    )
}

const HELP = `
  Children that look the same, with all below them, are drawn once: 3*[name]. On a terminal lines are cut to its width,
  elsewhere not. --json has command lines, threads and resources with the flags of these.

Examples:
  muster tree
  muster tree 1234 --pids --threads
  muster tree --command | less -S
  muster tree 1234 --resources
  muster tree --json | jq '.. | objects | select(.name == "nginx") | .pid'

Exit codes: 0 success; 2, 3, 4 bad input; 5 no such process. \`muster --help\` lists all.`
