import { Argument, type Command } from 'commander'
import type { RawAsk } from './ask.js'
import { asking, EXIT_HELP } from './asking.js'
import { noteOption } from './options.js'

/** `muster ack ID` */
export function command(): Command {
  return asking('ack', 'acknowledge an alert: notifiers are told no more until it is resolved')
    .addArgument(new Argument('<id>', 'of the alert; `muster alerts --state firing` lists them'))
    .addOption(noteOption())
    .addHelpText(
      'after',
      `
  The alert goes on to fire, and is listed as before.

Examples:
  muster ack 5f2c9a01-3 -d ./evidence
  muster ack 5f2c9a01-3 -d ./evidence --note 'the nightly import; ends at six'
${EXIT_HELP}`,
    )
    .action(async (id: string, raw: RawAsk) => (await import('./requests.js')).acknowledge(id, raw))
}
