import { Argument, type Command } from 'commander'
import type { RawAsk } from './ask.js'
import { asking, EXIT_HELP } from './asking.js'

/** `muster unsilence ID` */
export function command(): Command {
  return asking('unsilence', 'end a silence before its time, or take back a request that waits')
    .addArgument(new Argument('<id>', 'of the silence or the request; `muster alerts` lists them'))
    .addHelpText(
      'after',
      `
Examples:
  muster unsilence mf3k2a1b-0c9d8e7f -d ./evidence
${EXIT_HELP}`,
    )
    .action(async (id: string, raw: RawAsk) => (await import('./requests.js')).unsilence(id, raw))
}
