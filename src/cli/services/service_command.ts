import { Argument, Command } from 'commander'
import { UNIT_TYPES } from '../../public/services.js'
import { valueOption } from '../value_option.js'
import type { RawChange, RawList, RawService } from './service.js'

export function command(): Command {
  return new Command('service')
    .description(
      'list, show, start, stop, restart, enable and disable units of the service manager (systemd)',
    )
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(statusCommand())
    .addCommand(change('start', 'start units'))
    .addCommand(change('stop', 'stop units'))
    .addCommand(change('restart', 'stop units and start them again; those that do not run are started'))
    .addCommand(change('enable', 'have units start at boot').option('--now', 'also start them at once'))
    .addCommand(
      change('disable', 'no longer have units start at boot').option('--now', 'also stop them at once'),
    )
    .addHelpText('after', HELP)
}

const withManager = (command: Command): Command =>
  command
    .option('--user-manager', "ask the manager of this user, not the system's")
    .addOption(
      valueOption('--timeout <SECONDS>', 'give up on systemctl after so long (default: 10; changes: 120)'),
    )
    .option('-j, --json', 'JSON with plain numbers (bytes, ms); what is not known is null')

const unitArgument = (): Argument =>
  new Argument('<unit...>', 'one or more; without a suffix it is a service')

function listCommand(): Command {
  return withManager(
    new Command('list')
      .description('the units that the manager has loaded')
      .addOption(
        valueOption('-t, --type <TYPE>', 'a kind of unit (default: service)', ['all', ...UNIT_TYPES]),
      )
      .addOption(
        valueOption('--state <STATE>', 'only those in this load, active or sub state, for example failed'),
      ),
  ).action(async (raw: RawList) => (await import('./service.js')).list(raw))
}

function statusCommand(): Command {
  return withManager(new Command('status'))
    .description('state, main process, tasks, memory, restarts and result of units')
    .addArgument(unitArgument())
    .action(async (units: string[], raw: RawService) => (await import('./service.js')).status(units, raw))
}

function change(verb: 'start' | 'stop' | 'restart' | 'enable' | 'disable', description: string): Command {
  return withManager(new Command(verb))
    .description(description)
    .addArgument(unitArgument())
    .action(async (units: string[], raw: RawChange) =>
      (await import('./service.js')).change(verb, units, raw),
    )
}

const HELP = `
  Which unit a process belongs to: \`muster info PID\`; the processes of one: \`muster find --unit NAME\`.

Examples:
  muster service                          every service that is loaded
  muster service list --state failed
  muster service status nginx cron
  muster service restart nginx
  muster service enable --now backup.timer

Exit codes: 0 done; 1 failed, not in time, or no systemd here; 2, 3, 4 bad input; 5 no such unit; 6 no permission.
\`muster --help\` lists all.`
