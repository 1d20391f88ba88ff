import { Argument, type Command } from 'commander'
import { controlCommand, EXIT_HELP, pidArgument } from './options.js'
import type { RawSetting } from './settings.js'

export function command(): Command {
  return controlCommand('oom', 'set how readily the kernel ends processes when memory is short')
    .addArgument(new Argument('<score>', 'oom_score_adj: -1000 (never) to 1000 (first)'))
    .addArgument(pidArgument())
    .addHelpText('after', HELP)
    .action(async (value: string, pids: string[], raw: RawSetting) =>
      (await import('./settings.js')).oom(value, pids, raw),
    )
}

const HELP = `
  \`muster sched PID\` shows it.

Examples:
  muster oom 500 1234 5678
  muster oom -900 1234                        lowering takes CAP_SYS_RESOURCE
${EXIT_HELP}`
