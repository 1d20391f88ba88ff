import type { Command } from 'commander'
import { valueOption } from '../value_option.js'
import { controlCommand, EXIT_HELP, pidArgument } from './options.js'
import type { RawStop } from './stop.js'

export function command(): Command {
  return controlCommand('stop', 'end processes gracefully: SIGTERM, a grace period, SIGKILL if still there')
    .addArgument(pidArgument())
    .option('--tree', 'also all descendants')
    .addOption(valueOption('--grace <SECONDS>', 'time to end after the first signal (default: 10)'))
    .addOption(valueOption('--signal <SIGNAL>', 'the first signal (default: TERM)'))
    .addHelpText('after', HELP)
    .action(async (pids: string[], raw: RawStop) => (await import('./stop.js')).stop(pids, raw))
}

const HELP = `
  Returns when they have ended, which a zombie has.

Examples:
  muster stop 1234
  muster stop 1234 5678 --grace 30
  muster stop --tree 1234 --signal INT
${EXIT_HELP}`
