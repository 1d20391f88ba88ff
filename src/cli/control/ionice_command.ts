import type { Command } from 'commander'
import { valueOption } from '../value_option.js'
import { controlCommand, EXIT_HELP, leaderOption, pidArgument } from './options.js'
import type { RawIonice } from './settings.js'

export function command(): Command {
  return controlCommand('ionice', 'show or set the I/O class of processes')
    .addArgument(pidArgument())
    .addOption(
      valueOption(
        '-c, --class <CLASS>',
        'set: none (as the nice value says), realtime, best-effort or idle',
        ['none', 'realtime', 'best-effort', 'idle'],
      ),
    )
    .addOption(valueOption('-n, --level <N>', 'with realtime and best-effort: 0 (first) to 7 (default: 4)'))
    .addOption(leaderOption())
    .addHelpText('after', HELP)
    .action(async (pids: string[], raw: RawIonice) => (await import('./settings.js')).ionice(pids, raw))
}

const HELP = `
Examples:
  muster ionice 1234
  muster ionice --class idle 1234 5678
  muster ionice --class best-effort --level 7 1234
${EXIT_HELP}`
