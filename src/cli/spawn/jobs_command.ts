import { Argument, Command } from 'commander'
import { valueOption } from '../value_option.js'
import type { RawAttach, RawJobs, RawStopJobs } from './jobs.js'

export function command(): Command {
  return new Command('jobs')
    .description('the programs that muster run -b started: list, stop, suspend, attach, wait')
    .addCommand(
      withJson(new Command('list').description('the jobs of this user')).action(async (raw: RawJobs) =>
        (await import('./jobs.js')).list(raw),
      ),
      { isDefault: true },
    )
    .addCommand(
      withJson(new Command('stop'))
        .description('end jobs with their descendants: SIGTERM, a grace period, SIGKILL')
        .addArgument(jobArgument())
        .addOption(valueOption('--grace <SECONDS>', 'time to end after SIGTERM (default: 10)'))
        .action(async (jobs: string[], raw: RawStopJobs) => (await import('./jobs.js')).stop(jobs, raw)),
    )
    .addCommand(
      withJson(new Command('suspend'))
        .description('stop everyone in the sessions of jobs for now (SIGSTOP)')
        .addArgument(jobArgument())
        .action(async (jobs: string[], raw: RawJobs) => (await import('./jobs.js')).suspend(jobs, raw)),
    )
    .addCommand(
      withJson(new Command('continue'))
        .description('let them go on (SIGCONT)')
        .addArgument(jobArgument())
        .action(async (jobs: string[], raw: RawJobs) => (await import('./jobs.js')).resume(jobs, raw)),
    )
    .addCommand(
      new Command('attach')
        .description('show what a job writes until it ends; Ctrl-C detaches, the job goes on')
        .addArgument(new Argument('<job>', 'name or pid'))
        .addOption(valueOption('-n, --lines <N>', 'begin with the last lines of its log (default: 10)'))
        .option(
          '--raw',
          'on a terminal too, everything as it is; unless given, only colours and line ends are',
        )
        .action(async (job: string, raw: RawAttach) => (await import('./attach.js')).attach(job, raw)),
    )
    .addCommand(
      withJson(new Command('wait'))
        .description('wait until a job has ended, and end with its exit code')
        .addArgument(new Argument('<job>', 'name or pid'))
        .action(async (job: string, raw: RawJobs) => (await import('./jobs.js')).wait(job, raw)),
    )
    .addCommand(
      withJson(new Command('clean'))
        .description('forget the jobs that have ended, with the logs that muster made for them')
        .action(async (raw: RawJobs) => (await import('./jobs.js')).clean(raw)),
    )
    .addHelpText('after', HELP)
}

const jobArgument = (): Argument => new Argument('<job...>', 'one or more, each a name or pid')

const withJson = (command: Command): Command =>
  command.option('-j, --json', 'JSON on stdout: an array, an object per job')

const HELP = `
  Jobs are kept in $XDG_STATE_HOME/muster/jobs (~/.local/state/muster/jobs), a file each with pid, start and boot, so that a
  pid that another process has by now is never taken for the job. How a job ended, as exited 3 or killed by KILL, is kept
  by a small process that waits for it, muster-keeper; the code is unknown where that one was killed. A job is orphaned when
  others of its session run on without it: stop, suspend and continue reach those, as long as the kernel tells its session
  from a later one of the same number (autogroups).

Examples:
  muster run -b --name web -- node main.js
  muster jobs
  muster jobs attach web
  muster jobs suspend web && muster jobs continue web
  muster jobs wait web; echo $?
  muster jobs stop web --grace 30
  muster jobs clean

Exit codes: of wait those of the job, 128 and the signal's number when a signal ended it, 1 unknown; 0 done; 1 failed, or not in time; 2, 3, 4 bad input; 5 no such job, or it has ended; 6 no permission;
  7 the directory is not usable; 130 attach was ended by Ctrl-C. \`muster --help\` lists all.`
