import type { Command } from 'commander'
import { collectValues } from '../value_option.js'
import type { RawInfo } from './info.js'
import { PID_EXIT_CODES, pidCommand } from './pid_command.js'

export function command(): Command {
  return pidCommand('info', 'tell everything about one process')
    .option('-e, --environment', 'the environment too, which may hold secrets')
    .option(
      '-f, --file <NAME>',
      'instead, this file below /proc/PID as it is, such as mountinfo or task/42/stat; repeatable',
      collectValues,
    )
    .addHelpText('after', HELP)
    .action(async (word: string | undefined, raw: RawInfo) => (await import('./info.js')).tellInfo(word, raw))
}

const HELP = `
  What may not be read is named at the end, each with its reason; the rest is told.
  --file never hangs: a file that waits for a lock of the process is given up after 10 s. Of fd, ns and task it lists what is in
  them, of exe, cwd and root where they lead. On a terminal control characters are escaped; a pipe gets every byte.

Examples:
  muster info 1234
  muster info 1234 --environment
  muster info 1234 --file mountinfo --file schedstat
  muster info 1234 --json | jq '.exe, .usage.memory.rssBytes, .cgroup.unit'

${PID_EXIT_CODES}`
