import type { Command } from 'commander'
import { PID_EXIT_CODES, pidCommand } from './pid_command.js'

export function command(): Command {
  return pidCommand('limits', 'list the resource limits of a process')
    .addHelpText('after', HELP)
    .action(async (word: string | undefined, raw: { json?: boolean }) =>
      (await import('./limits.js')).listLimits(word, raw),
    )
}

const HELP = `
  SOFT holds; the process may raise it up to HARD. \`muster limit\` sets them.

Examples:
  muster limits 1234
  muster limits 1234 --json | jq '.nofile.soft'

${PID_EXIT_CODES}`
