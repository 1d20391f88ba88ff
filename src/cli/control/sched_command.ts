import type { Command } from 'commander'
import { valueOption } from '../value_option.js'
import { controlCommand, EXIT_HELP, leaderOption, pidArgument } from './options.js'
import type { RawSched } from './sched.js'

export function command(): Command {
  return controlCommand(
    'sched',
    'show how processes are scheduled; set policy, priority, autogroup, timer slack',
  )
    .addArgument(pidArgument())
    .addOption(
      valueOption('--policy <POLICY>', 'set: other, batch, idle, fifo or rr', [
        'other',
        'batch',
        'idle',
        'fifo',
        'rr',
      ]),
    )
    .addOption(valueOption('--priority <N>', 'with fifo and rr, which need it: 1 to 99 (first)'))
    .addOption(
      valueOption('--reset-on-fork <YES|NO>', 'with --policy: children begin with other again', [
        'yes',
        'no',
      ]),
    )
    .addOption(valueOption('--autogroup <N>', 'set the nice value of the whole session, -20 to 19'))
    .addOption(valueOption('--timer-slack <NS>', 'set by how much timers may be late; 0 for the default'))
    .addOption(leaderOption())
    .option('--threads', 'show each thread, not the main one alone')
    .addHelpText('after', HELP)
    .action(async (pids: string[], raw: RawSched) => (await import('./sched.js')).sched(pids, raw))
}

const HELP = `
  Without a flag that sets something it shows policy, nice value, I/O class, processors and more. Its words are those of
  chrt(1); fifo and rr need CAP_SYS_NICE or RLIMIT_RTPRIO.

Examples:
  muster sched 1234
  muster sched --threads 1234 --json
  muster sched --policy batch 1234 5678
  muster sched --policy rr --priority 10 1234
  muster sched --autogroup 5 1234
${EXIT_HELP}`
