import { Argument, Command, Option } from 'commander'
import { addLimits } from '../control/cgroup_limits.js'
import { collectValues, valueOption } from '../value_option.js'
import type { RawRun } from './run.js'

export function command(): Command {
  const start = new Command('run')
    .description('start a program with limits, as a user, in the background')
    .usage('[options] [--] <program> [arguments...]')
    // What follows the program is its own.
    .passThroughOptions()
    .addOption(new Option('--debug').hideHelp())
    .addOption(new Option('--kept').hideHelp())
    .addArgument(new Argument('<program>', 'path, or name to be found in PATH'))
    .addArgument(new Argument('[arguments...]', 'its arguments; flags behind the program are its own'))
    .option('--env <NAME=VALUE>', 'a variable of its environment; may be given several times', collectValues)
    .option('--clear-env', "only what --env gives, nothing of muster's own environment")
    .addOption(valueOption('--dir <DIRECTORY>', 'working directory'))
    .addOption(valueOption('--user <USER>', 'name or uid, with its groups, HOME, USER, LOGNAME, SHELL'))
    .addOption(valueOption('--group <GROUP>', "name or gid, instead of the user's"))
    .addOption(valueOption('--umask <MASK>', 'for example 027'))
    .option(
      '--limit <LIMIT>',
      'RESOURCE=SOFT, =SOFT:HARD or =:HARD, as of muster limit; may be given several times',
      collectValues,
    )
    .addOption(valueOption('--nice <N>', '-20 (first) to 19 (last)'))
    .addOption(
      valueOption('--ionice <CLASS>', 'realtime, best-effort, idle or none; with a level: best-effort:7'),
    )
    .addOption(valueOption('--affinity <LIST>', 'processors that it may run on: 0-3,8'))
    .option('--no-new-privileges', 'setuid programs give it nothing')
    .addOption(valueOption('--cgroup <PATH>', 'start it in this control group, such as /web'))
  return addLimits(start)
    .option('-b, --background', 'a job: output goes to a log file, and it lives on; muster jobs lists them')
    .addOption(valueOption('--name <NAME>', 'with -b: what the job is called (default: as the program)'))
    .addOption(
      valueOption('--log <FILE>', 'with -b: append its output to this file instead of one of muster'),
    )
    .addOption(
      valueOption('--pid-file <FILE>', 'holds its pid; refused while a process that it names is running'),
    )
    .option('--usage', 'when it has ended, say on stderr how, and what it used')
    .option('-j, --json', 'the same as JSON, on stderr; with -b the job as JSON, on stdout')
    .addHelpText('after', HELP)
    .action(async (program: string, args: string[], raw: RawRun) => {
      if (raw.background && !raw.kept) await (await import('./start_in_keeper.js')).startInKeeper()
      else await (await import('./run.js')).run(program, args, raw)
    })
}

const HELP = `
  In the foreground the program has muster's terminal, input and output. SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 are passed
  on to it. So are SIGINT and SIGQUIT, unless muster is in the foreground of a terminal, whose Ctrl-C reaches the program
  by itself: there, name the program's own pid to kill -INT. --memory, --cpu, --swap, --pids
  and their like put it and its descendants into a control group of its own; those that outlive it stay under its limits.
  A program of another user (--user) that shares your terminal could type into it where the kernel lets it
  (dev.tty.legacy_tiocsti): start one that you do not trust with -b, which has none.

  A job leads a session of its own, without a terminal. A small process, muster-keeper, stays with it and keeps how it
  ended, for muster jobs and muster jobs wait; where that one was killed, the exit code of the job is unknown. What a job
  has to outlive, a reboot or its own crash, takes a service (muster unit generate).

Examples:
  muster run --usage -- make -j4
  muster run --memory 500M --cpu 50% --nice 10 -- ./import.sh --all
  muster run --user www-data --dir /srv/web --env PORT=8080 \\
    --limit nofile=4096:8192 -- node main.js
  muster run -b --name web --pid-file /run/web.pid -- node main.js
  muster run -b --log /var/log/web.log -- /usr/sbin/webd -f

Exit codes: those of the program, 128 and the signal's number when a signal ended it (SIGTERM: 143); 127 no such program,
  126 it cannot be executed; 2, 3, 4 bad input; 5 no such user, group, directory or control group; 6 no
  permission; 1 otherwise. \`muster --help\` lists all.`
