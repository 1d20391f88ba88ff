import { Argument, type Command } from 'commander'
import { controlCommand, EXIT_HELP, leaderOption, pidArgument } from './options.js'
import type { RawSetting } from './settings.js'

export function command(): Command {
  return controlCommand('nice', 'set the nice value of processes')
    .addArgument(new Argument('<n>', '-20 (first) to 19 (last)'))
    .addArgument(pidArgument())
    .addOption(leaderOption())
    .addHelpText('after', HELP)
    .action(async (value: string, pids: string[], raw: RawSetting) =>
      (await import('./settings.js')).nice(value, pids, raw),
    )
}

const HELP = `
  \`muster sched PID\` shows it.

Examples:
  muster nice 10 1234 5678
  muster nice -5 1234                         lowering takes CAP_SYS_NICE
${EXIT_HELP}`
