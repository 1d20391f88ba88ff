import type { Command } from 'commander'
import { valueOption } from '../value_option.js'
import { controlCommand, EXIT_HELP, leaderOption, pidArgument } from './options.js'
import type { RawAffinity } from './settings.js'

export function command(): Command {
  return controlCommand('affinity', 'show or set the processors on which processes may run')
    .addArgument(pidArgument())
    .addOption(valueOption('--cpus <LIST>', 'set: numbers and ranges, for example 0-3,8'))
    .addOption(leaderOption())
    .addHelpText('after', HELP)
    .action(async (pids: string[], raw: RawAffinity) => (await import('./settings.js')).affinity(pids, raw))
}

const HELP = `
Examples:
  muster affinity 1234
  muster affinity --cpus 0-3,8 1234 5678
${EXIT_HELP}`
