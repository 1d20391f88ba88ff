import type { Command } from 'commander'
import { PID_EXIT_CODES, pidCommand } from './pid_command.js'

export function command(): Command {
  return pidCommand('threads', 'list the threads of a process')
    .option('--stacks', 'the system call of each, and where in the kernel it is (root)')
    .addHelpText('after', HELP)
    .action(async (word: string | undefined, raw: { stacks?: boolean; json?: boolean }) =>
      (await import('./threads.js')).listThreads(word, raw),
    )
}

const HELP = `
  TIME is CPU time, WAITED the time that it was ready to run and had to wait, CPU the processor that it ran on last,
  WAITS-IN the function of the kernel that it sleeps in.

Examples:
  muster threads 1234
  muster threads 1234 --stacks
  muster threads 1234 --json | jq 'max_by(.cpuTimeNs)'

${PID_EXIT_CODES}`
