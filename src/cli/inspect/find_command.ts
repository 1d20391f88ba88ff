import { Command } from 'commander'
import { completing, valueOption } from '../value_option.js'
import type { RawFindOptions } from './find.js'
import { STATES } from './states.js'

export function command(): Command {
  return new Command('find')
    .description(
      'find processes by name, command line, user, state, port, file, library, namespace, cgroup, unit',
    )
    .addOption(valueOption('-n, --name <TEXT>', 'processes with TEXT in their name'))
    .addOption(valueOption('-c, --command <PATTERN>', 'RE2 pattern that fits anywhere in the command line'))
    .addOption(valueOption('-u, --user <USER>', "this user's (name or uid)"))
    .addOption(
      completing(valueOption('--state <LIST>', 'in these states, for example R,D,Z'), Object.keys(STATES)),
    )
    .addOption(valueOption('--session <SID>', 'of this session, by the PID of its leader'))
    .addOption(valueOption('--pgroup <PGID>', 'of this process group, by the PID of its leader'))
    .addOption(valueOption('--port <PORT>', 'with a socket that has this local port'))
    .addOption(valueOption('--file <PATH>', 'with this file open, mapped, as program or directory'))
    .option('--deleted', 'with descriptors of deleted files, whose space is not free yet')
    .addOption(
      valueOption('--library <LIBRARY>', 'with this library loaded: a path, or a name such as libssl'),
    )
    .addOption(
      valueOption(
        '--namespace <KIND:ID>',
        'in this namespace: net:[INODE], or net:PID for that of a process',
      ),
    )
    .addOption(valueOption('--cgroup <GLOB>', 'in these control groups (/RE2/ between slashes)'))
    .addOption(valueOption('--unit <GLOB>', 'of these units of the service manager (/RE2/ between slashes)'))
    .option('--pids', 'PIDs alone, a line each')
    .option('-j, --json', 'a JSON array; what is not known is null')
    .addHelpText('after', HELP)
    .action(async (raw: RawFindOptions) => (await import('./find.js')).findAll(raw))
}

const HELP = `
  Processes for which all of it holds, but for muster itself. Those that could not be looked into are counted on stderr.

Examples:
  muster find --command 'java .*-jar app' --user www-data
  muster find --port 8080
  muster find --deleted --unit 'nginx*'  muster files PID shows sizes, paths
  muster find --library libssl --pids
  muster find --namespace net:1234       who shares the network of PID 1234
  muster find --session "$$" --state T
  muster find --unit 'nginx*' --state D --json

Exit codes: 0 found; 2, 3, 4 bad input; 5 nobody found. \`muster --help\` lists all.`
