import { Argument, Command } from 'commander'
import type { RawZombies } from './zombies.js'

export function command(): Command {
  return new Command('zombies')
    .description('list zombies by the parent at fault, with what to do')
    .addArgument(new Argument('[pid]', 'only those of this parent'))
    .option('--nudge', 'send SIGCHLD to the parents, and see whether they wait for their zombies then')
    .option('-j, --json', 'a JSON array, an object for each parent')
    .addHelpText('after', HELP)
    .action(async (word: string | undefined, raw: RawZombies) =>
      (await import('./zombies.js')).tellZombies(word, raw),
    )
}

const HELP = `
  A nudge goes to a parent through a pidfd, so that no other process can get it; pid 1 gets none. It is repeated for as
  long as it helps, and waits up to two seconds for a zombie to go.

Examples:
  muster zombies
  muster zombies --nudge
  muster zombies 1234 --nudge        only the zombies that 1234 has left
  muster zombies --json | jq '.[] | {pid: .parent.pid, n: (.zombies | length)}'

Exit codes: 0 success; 1 after --nudge: some are still there; 2, 3, 4 bad input; 5 no such process; 6 a nudge that is
  not permitted. \`muster --help\` lists all.`
