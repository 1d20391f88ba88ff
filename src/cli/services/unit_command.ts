import { Argument, Command } from 'commander'
import { UNIT_RESTARTS } from '../../public/services.js'
import { collectValues, valueOption } from '../value_option.js'
import type { RawUnit } from './unit.js'

export function command(): Command {
  return new Command('unit')
    .description('write a hardened unit file (systemd) for a program, or for muster watch')
    .addCommand(generateCommand())
    .addHelpText('after', HELP)
}

function generateCommand(): Command {
  return new Command('generate')
    .description('print the unit of a program, or with --watch of muster watch')
    .addArgument(new Argument('[program]', 'absolute path; before it --, after it its arguments'))
    .addArgument(new Argument('[args...]', 'as the program is to get them'))
    .addOption(valueOption('--watch <CONFIG>', 'for `muster watch --config CONFIG`, an absolute path'))
    .option('--restarts', 'with --watch: its rules restart processes, which hardening would keep it from')
    .addOption(valueOption('--description <TEXT>', 'one line (default: name of the program)'))
    .addOption(valueOption('--user <USER>', 'run as (default: root)'))
    .addOption(valueOption('--group <GROUP>', 'run in (default: that of the user)'))
    .addOption(valueOption('--directory <PATH>', 'working directory'))
    .option('--env <NAME=VALUE>', 'an environment variable, for everybody to read; repeatable', collectValues)
    .addOption(valueOption('--memory <SIZE>', 'bound of memory, for example 500M'))
    .addOption(valueOption('--cpu <PERCENT>', 'bound of CPU time, percent of one'))
    .addOption(valueOption('--tasks <N>', 'bound of processes and threads'))
    .addOption(valueOption('--restart <WHEN>', 'when to start it again (default: on-failure)', UNIT_RESTARTS))
    .option(
      '--capability <CAP>',
      'one that it keeps, for example CAP_NET_BIND_SERVICE; repeatable',
      collectValues,
    )
    .addOption(valueOption('--state <NAME>', 'its own directory /var/lib/NAME'))
    .option('--writable <PATH>', 'what else it may write; repeatable', collectValues)
    .addOption(valueOption('--home <HOW>', 'what it sees of /home and /root (default: hidden)', HOMES))
    .addOption(valueOption('--output <FILE>', 'write it there; what is there stays without --force'))
    .option('--force', 'with --output: replace a file that is there')
    .addHelpText('after', GENERATE_HELP)
    .action(async (program: string | undefined, args: string[], raw: RawUnit) =>
      (await import('./unit.js')).generate(program, args, raw),
    )
}

const HOMES = ['hidden', 'read-only', 'writable']

const EXAMPLES = `
Examples:
  muster unit generate --user www-data --memory 500M \\
    -- /usr/bin/node /srv/web/main.js --port 8080
  muster unit generate --watch /etc/muster.yaml \\
    --output /etc/systemd/system/muster.service
  systemctl daemon-reload && muster service enable --now muster`

const HELP = EXAMPLES

const GENERATE_HELP = `
  The program gains no privileges, and sees a read-only file system, a private /tmp, no devices and no /home; it is started
  again on failure, at most 5 times in 5 minutes. \`systemd-analyze verify FILE\` checks a unit.
${EXAMPLES}

Exit codes: 0 done; 1 not written; 2, 3, 4 bad input; 6 no permission. \`muster --help\` lists all.`
