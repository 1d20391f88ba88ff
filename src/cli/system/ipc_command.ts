import { Argument, Command } from 'commander'
import type { RawRemoval } from './ipc_removal.js'

/** As `muster ipc remove` has them. */
export const KIND_WORDS = ['queue', 'memory', 'semaphores'] as const

export function command(): Command {
  return new Command('ipc')
    .description('list System V and POSIX queues, shared memory and semaphores; remove System V ones')
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(removeCommand())
    .addHelpText('after', HELP)
}

function listCommand(): Command {
  return new Command('list')
    .description('owner, creator, use and users of each')
    .option('-j, --json', 'JSON: systemV and posix; what is not known is null')
    .action(async (raw: { json?: boolean }) => (await import('./ipc.js')).listAll(raw))
}

function removeCommand(): Command {
  const kind = new Argument('<kind>', 'what they are')
  kind.argChoices = [...KIND_WORDS]
  return new Command('remove')
    .description('remove System V objects that nobody uses')
    .addArgument(kind)
    .addArgument(new Argument('<id...>', 'one or more, also as a list: 12,34'))
    .option(
      '--force',
      'also what is in use: who waits is woken with an error, memory goes with its last user',
    )
    .option('-j, --json', 'a JSON array on stdout, an object for each; errors in it too')
    .addHelpText('after', REMOVE_HELP)
    .action(async (kindWord: string, ids: string[], raw: RawRemoval) =>
      (await import('./ipc_removal.js')).remove(kindWord, ids, raw),
    )
}

const HELP = `
  USERS are processes that the kernel names, and of shared memory those that have it mapped; (ended) has no process any
  more. POSIX objects are files: rm removes them.

Examples:
  muster ipc
  muster ipc list --json | jq '.systemV.sharedMemory[] | select(.attached == 0)'
  muster ipc remove memory 32768
  muster ipc remove queue 0,1 --force

Exit codes: 0 success; 1 in use (--force); 2, 3, 4 bad input; 5 no such object; 6 not permitted. \`muster --help\` lists all.`

const REMOVE_HELP = `
  Objects are told apart by key and time too: an id that another object has taken since it was looked up is left alone.

Examples:
  muster ipc remove memory 32768
  muster ipc remove semaphores 3 4 --force

Exit codes: 0 done; 1 in use (--force); 2, 3, 4 bad input; 5 no such object; 6 not permitted. \`muster --help\` lists all.`
