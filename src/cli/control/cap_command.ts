import type { Command } from 'commander'
import type { RawCap } from './cap.js'
import { addLimits } from './cgroup_limits.js'
import { controlCommand, EXIT_HELP, pidArgument } from './options.js'

export function command(): Command {
  return addLimits(
    controlCommand(
      'cap',
      'put running processes under limits, each in a control group of its own',
    ).addArgument(pidArgument()),
  )
    .option(
      '--alone',
      'leave the children that it has where they are; those born later are capped in any case',
    )
    .addHelpText('after', HELP)
    .action(async (pids: string[], raw: RawCap) => (await import('./cap.js')).cap(pids, raw))
}

const HELP = `
  Again, it changes the limits; \`muster uncap\` takes them away. Memory from before is not counted where the kernel
  cannot move its charge: the line says how much.

Examples:
  muster cap 1234 --memory 500M --cpu 50%
  muster cap 1234 5678 --pids 100
  muster uncap 1234
${EXIT_HELP}`
