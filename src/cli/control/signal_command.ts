import { Argument, type Command } from 'commander'
import { valueOption } from '../value_option.js'
import { controlCommand, EXIT_HELP, pidArgument } from './options.js'
import type { RawSignal } from './signal.js'

export function command(): Command {
  return controlCommand(
    'signal',
    'send a signal to processes, or to everyone in their tree, group or session',
  )
    .addArgument(new Argument('<signal>', 'a name with or without SIG, RTMIN+N, or a number; 0 only asks'))
    .addArgument(pidArgument())
    .option('--tree', 'also to all descendants')
    .option('--group', 'to everyone in the process group of each PID')
    .option('--session', 'to everyone in the session of each PID')
    .option('--children-last', 'with --tree: parents before their children, which come first otherwise')
    .addOption(
      valueOption('--value <N>', 'a whole number that comes with the signal, as sigqueue(3) sends it'),
    )
    .addHelpText('after', HELP)
    .action(async (signal: string, pids: string[], raw: RawSignal) =>
      (await import('./signal.js')).signal(signal, pids, raw),
    )
}

const HELP = `
  With --tree, --group and --session everyone is stopped first and goes on afterwards, so that none is born in between
  and missed.

Examples:
  muster signal HUP 1234
  muster signal TERM --tree 1234
  muster signal USR1 --group 1234 --json
  muster signal RTMIN+3 1234 --value 42
  muster signal 0 1234                        may it be signalled?
${EXIT_HELP}`
