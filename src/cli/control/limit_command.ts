import { Argument, type Command } from 'commander'
import type { RawControl } from './options.js'
import { controlCommand, EXIT_HELP } from './options.js'

export function command(): Command {
  return controlCommand('limit', 'show or set resource limits of a running process')
    .addArgument(new Argument('<pid>', 'also a list: 12,34'))
    .addArgument(new Argument('[limit...]', 'RESOURCE=SOFT, =SOFT:HARD or =:HARD; what is left out stays'))
    .addHelpText('after', HELP)
    .action(async (pid: string, limits: string[], raw: RawControl) =>
      (await import('./limit.js')).limit(pid, limits, raw),
    )
}

const HELP = `
  Resources are those of getrlimit(2): cpu (seconds), fsize, data, stack, core, rss, memlock, as, msgqueue (sizes: 500M,
  1GiB), nproc, nofile, locks, sigpending, nice, rtprio (numbers), rttime (microseconds). A value is unlimited, too.
  Raising a hard limit takes CAP_SYS_RESOURCE.

Examples:
  muster limit 1234
  muster limit 1234 nofile=4096
  muster limit 1234,5678 nofile=4096:8192 core=unlimited as=2GiB
  muster limit 1234 nproc=:500 --json
${EXIT_HELP}`
