import { Command } from 'commander'
import { BUILTIN_RULES } from '../../index.js'
import { exitCodeHelp } from '../exit_codes.js'
import { FaultList } from '../fault.js'
import { SAMPLE_SOURCES, sourceOption } from '../source_option.js'
import { StopSignals } from '../stop_signals.js'
import { colorsFor } from '../terminal.js'
import { collectValues, valueOption } from '../value_option.js'
import { type RawWatchOptions, readWatchFlags } from './options.js'
import { planWatch } from './plan.js'
import { JsonReporter, TextReporter } from './report.js'
import { runWatch } from './session.js'

export function watchCommand(): Command {
  return new Command('watch')
    .description('watch processes against thresholds; keep evidence, restart')
    .addOption(valueOption('-p, --pid <PID>', 'the process to watch'))
    .addOption(
      valueOption(
        '-t, --threshold <PERCENT>',
        'breach at this percentage of physical memory (VmRSS / MemTotal) and over',
      ),
    )
    .addOption(valueOption('-i, --interval <SECONDS>', 'time between two looks, 0.1 to 86400 (default: 1)'))
    .addOption(valueOption('-d, --directory <DIRECTORY>', 'keep evidence here; created (0700) if missing'))
    .option(
      '-r, --restart',
      'on a breach restart: SIGTERM, a grace period, SIGKILL if it is still there, start again',
    )
    .addOption(valueOption('--name <NAME>', 'watch the processes of this name, or /pattern/'))
    .addOption(valueOption('--user <USER>', "watch this user's processes"))
    .option('--rule <RULE>', "a condition, for example 'rss > 500MiB for 30s'; repeatable", collectValues)
    .addOption(
      valueOption('--builtin <RULES>', 'rules that come with it: zombies, stuck; a list', BUILTIN_RULES),
    )
    .addOption(valueOption('--config <FILE>', 'rules and settings from a YAML file; flags override it'))
    .addOption(valueOption('--grace <SECONDS>', 'time to end after SIGTERM (default: 10)'))
    .addOption(valueOption('--journal <FILE>', 'JSON Lines journal (default: DIRECTORY/muster.jsonl)'))
    .addOption(sourceOption('samples', SAMPLE_SOURCES))
    .option('--dry-run', 'decide and write the journal, touch no process')
    .option('--json', 'JSON Lines on stdout instead of text')
    .option('--once', 'look once, act on what is found, exit 10 if a threshold is breached')
    .option('-v, --verbose', 'with -p print every look, not only what happens')
    .option('--environ', 'evidence includes the environment (it may hold secrets)')
    .option('--no-nice', "keep this watcher's own CPU and I/O priority (default: nice 10, best-effort 7)")
    .addHelpText('after', HELP)
    .action(watch)
}

async function watch(raw: RawWatchOptions): Promise<void> {
  using stop = new StopSignals()
  const faults = new FaultList()
  const flags = readWatchFlags(raw, faults)
  faults.throwIfAny()
  // While it starts, the file is about to be read anyway.
  if (flags.config !== undefined && !flags.once) stop.onHangup = () => {}
  const plan = await planWatch(flags)
  if (!plan.readsAgain) stop.onHangup = undefined
  const { stdout } = process
  const reporter = flags.json
    ? new JsonReporter(stdout)
    : new TextReporter(stdout, colorsFor(stdout), { everyLook: flags.verbose })
  process.exitCode = await runWatch(plan, reporter, stop)
}

const HELP = `
Rules:
  COLUMN OP NUMBER[UNIT] [and ...] [for DURATION]
  rss > 500MiB for 30s       memory >= 80% for 1m       cpu > 90% for 5m and threads > 100
  Columns: \`muster ps --help\`. A rule never holds on a value that could not be read.

Configuration file (YAML; paths are relative to it):
  interval: 5                # seconds
  directory: evidence
  grace: 10                  # seconds
  source: auto               # auto, bpf, procfs
  notify:                    # webhook, command, log; see docs/alerts.md
    - { type: webhook, url: "https://alerts.example.com/hook", secretEnv: HOOK_SECRET, minSeverity: critical }
  rules:
    - name: leaking workers
      match: { name: node, user: www-data }
      when: rss > 500MiB for 30s
      severity: critical     # info, warning, critical
      cooldown: 10m
      actions: [evidence, restart]

Permissions:
  Watching needs none. Evidence of another user's process is complete only as root (or with CAP_SYS_PTRACE); what
  cannot be read is named in its manifest. A restart needs the right to signal the process: the same user, or root.
  The restarted process never gets more privilege than it had.

Signals:
  SIGINT and SIGTERM stop the watch, and SIGHUP does where there is no --config; an action under way is finished first.
  Another signal, half a second or more after the first, gives it up. With --config SIGHUP has the file read again, as
  happens by itself when it changes: its rules take the place of those before, what is known of rules that stay the same
  is kept, and of a file with faults nothing is taken. After a crash start the watch again with the same command: by its journal it
  finishes a restart that it had begun.

${exitCodeHelp()}

Examples:
  muster watch -p 1234 -t 80 -i 5 -d ./evidence -r
  muster watch --name node --rule 'rss > 500MiB for 30s' -d ./evidence --dry-run
  muster watch --config /etc/muster.yaml --json
  muster watch -p $(pgrep -o mysqld) -t 60 --once || echo "over 60 % of memory, or not watchable"`
