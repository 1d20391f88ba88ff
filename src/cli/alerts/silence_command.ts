import type { Command } from 'commander'
import { valueOption } from '../value_option.js'
import { asking, EXIT_HELP } from './asking.js'
import { noteOption } from './options.js'
import type { RawSilence } from './requests.js'
import { SEVERITIES } from './words.js'

/** `muster silence --rule ... --for 2h` */
export function command(): Command {
  return asking('silence', 'for a time, tell no notifier of the alerts that fit')
    .addOption(valueOption('--rule <NAME>', 'alerts of this rule'))
    .addOption(valueOption('--name <NAME>', 'of processes of this name, or /pattern/'))
    .addOption(valueOption('-p, --pid <PID>', 'of this process'))
    .addOption(valueOption('--user <USER>', "of this user's processes"))
    .addOption(valueOption('--group <KEY>', 'of this group, for example unit:nginx.service'))
    .addOption(valueOption('--severity <SEVERITY>', 'of this severity', SEVERITIES))
    .addOption(valueOption('--for <DURATION>', 'how long, for example 30m or 2h; at most 366 days'))
    .addOption(noteOption())
    .addHelpText(
      'after',
      `
  An alert is silenced when it fits everything that is given. It fires, is listed and written down, and actions are
  taken as ever. Of an alert that outlasts the silence notifiers are told then. A silence outlasts the watch.

Examples:
  muster silence --rule 'leaking workers' --for 2h -d ./evidence --note 'known'
  muster silence --name '/^import/' --severity warning --for 8h -d ./evidence
${EXIT_HELP}`,
    )
    .action(async (raw: RawSilence) => (await import('./requests.js')).silence(raw))
}
