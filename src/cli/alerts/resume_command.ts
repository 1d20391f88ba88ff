import { Argument, type Command } from 'commander'
import type { RawAsk } from './ask.js'
import { asking, EXIT_HELP } from './asking.js'

/** `muster resume RULE` */
export function command(): Command {
  return asking('resume', 'let the restarts of a rule go on that the governor has suspended or given up')
    .addArgument(
      new Argument('<rule>', "the rule's name; `muster alerts --state firing` says what is suspended"),
    )
    .addHelpText(
      'after',
      `
  Restarts of a rule are suspended after three in a row that were of no use, and those of a process that flaps are given
  up. Those that are still wanted follow at once. By itself it goes on after the rule's \`rearm\` (1h).

Examples:
  muster resume 'leaking workers' -d ./evidence
${EXIT_HELP}`,
    )
    .action(async (rule: string, raw: RawAsk) => (await import('./requests.js')).resume(rule, raw))
}
