import { Argument, Command } from 'commander'
import { valueOption } from '../value_option.js'
import type { RawChange, RawGroup } from './cgroup.js'
import { addIoLimit, addLimits } from './cgroup_limits.js'
import { pidArgument } from './options.js'

export function command(): Command {
  return new Command('cgroup')
    .description(
      'list the trees of control groups; show a group; create, limit, fill, freeze, thaw, kill and remove groups',
    )
    .addCommand(showCommand(), { isDefault: true })
    .addCommand(changeCommand('create', 'make a group, with those above it, and set limits'))
    .addCommand(changeCommand('set', 'set limits of a group; those that are left out stay'))
    .addCommand(moveCommand())
    .addCommand(simple('freeze', 'stop everyone in a group and below it, until thaw'))
    .addCommand(simple('thaw', 'let them go on'))
    .addCommand(
      simple('kill', 'kill everyone in a group and below it, those too that are born meanwhile').option(
        '--force',
        'also where pid 1 or muster itself is in it',
      ),
    )
    .addCommand(simple('remove', 'remove a group').option('-r, --recursive', 'also the groups below it'))
    .addHelpText('after', HELP)
}

const pathArgument = (): Argument =>
  new Argument('<path>', 'of the group below the root of the trees, for example /web/api')

const jsonFlag = (command: Command): Command => command.option('-j, --json', 'one JSON object on stdout')

function showCommand(): Command {
  return jsonFlag(new Command('show'))
    .description(
      'without a path the mounted trees and their controllers; else limits, use and events of a group',
    )
    .addArgument(new Argument('[path]', 'of the group, for example /web/api'))
    .action(async (path: string | undefined, raw: RawGroup) => (await import('./cgroup.js')).show(path, raw))
}

function changeCommand(name: 'create' | 'set', description: string): Command {
  const command = jsonFlag(addIoLimit(addLimits(new Command(name)))).description(description)
  return command
    .addArgument(pathArgument())
    .action(async (path: string, raw: RawChange) => (await import('./cgroup.js'))[name](path, raw))
}

function moveCommand(): Command {
  return new Command('move')
    .description('move processes into a group, with all their threads')
    .addArgument(pathArgument())
    .addArgument(pidArgument())
    .option('--force', 'also pid 1 and kernel threads, which are refused otherwise')
    .option('-j, --json', 'a JSON array on stdout, an object per process; errors in it too')
    .action(async (path: string, pids: string[], raw: RawGroup) =>
      (await import('./cgroup.js')).move(path, pids, raw),
    )
}

function simple(name: 'freeze' | 'thaw' | 'kill' | 'remove', description: string): Command {
  const command = jsonFlag(new Command(name)).description(description).addArgument(pathArgument())
  if (name === 'freeze' || name === 'kill') {
    command.addOption(valueOption('--wait <SECONDS>', 'give up after so long (default: 5)'))
  }
  return command.action(async (path: string, raw: RawGroup) => (await import('./cgroup.js'))[name](path, raw))
}

const HELP = `
  A path is the same in every tree of cgroup version 1, which has one for each controller.

Examples:
  muster cgroup                             the mounted trees, their controllers
  muster cgroup /web                        limits, use and events
  muster cgroup create /web --memory 2G --cpu 150% --pids 500
  muster cgroup set /web --io 8:0,wbps=10M
  muster cgroup move /web 1234 5678
  muster cgroup freeze /web
  muster cgroup kill /web && muster cgroup remove /web

Exit codes: 0 done; 1 failed, busy, not in time, or not possible here; 2, 3, 4 bad input; 5 no such group or process;
  6 no permission, or protected (--force). \`muster --help\` lists all.`
