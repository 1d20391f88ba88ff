import type { Command } from 'commander'
import { controlCommand, EXIT_HELP, pidArgument, type RawControl } from './options.js'

export function command(): Command {
  return controlCommand(
    'uncap',
    'take processes out of the control groups that cap made, back to where they were',
  )
    .addArgument(pidArgument())
    .addHelpText('after', HELP)
    .action(async (pids: string[], raw: RawControl) => (await import('./cap.js')).uncap(pids, raw))
}

const HELP = `
  A process without a cap is a failure: it is named, with exit code 5.

Examples:
  muster uncap 1234
${EXIT_HELP}`
