import type { Command } from 'commander'
import { PID_EXIT_CODES, pidCommand } from './pid_command.js'

export function command(): Command {
  return pidCommand('info', 'tell everything about one process')
    .option('-e, --environment', 'the environment too, which may hold secrets')
    .addHelpText('after', HELP)
    .action(async (word: string | undefined, raw: { environment?: boolean; json?: boolean }) =>
      (await import('./info.js')).tellInfo(word, raw),
    )
}

const HELP = `
  What may not be read is named at the end, each with its reason; the rest is told.

Examples:
  muster info 1234
  muster info 1234 --environment
  muster info 1234 --json | jq '{exe, rss: .usage.memory.rssBytes, unit: .cgroup.unit}'

${PID_EXIT_CODES}`
