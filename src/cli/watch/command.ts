import { Command } from 'commander'
import { BUILTIN_RULES } from '../../public/builtin.js'
import { exitCodeHelp } from '../exit_codes.js'
import { SAMPLE_SOURCES, sourceOption } from '../source_option.js'
import { collectValues, valueOption } from '../value_option.js'
import type { RawWatchOptions } from './options.js'

export function command(): Command {
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
    .action(async (raw: RawWatchOptions) => (await import('./start.js')).startWatch(raw))
}

const HELP = `
Rules:
  Comparisons, joined by and, or, not and parentheses; at the end \`for 30s\`: all of it holds for so long.
  rss > 500MiB for 30s                        memory >= 80% or threads > 100
  avg(cpu, 5m) > 90%                          also min, max, delta, rate, p50, p95, p99 over a time
  leak(rss, 30m) and rss > 1GiB               grows, and is no warm-up, no sawtooth and no step
  timeTo(rss, 2GiB) < 30m                     at its present growth
  stateSeconds(D) > 20                        openFiles / limit.openFiles > 90%
  host.memAvailable < 1GiB and rss > 10%      host.pressure.memory.some10 > 20

  In a configuration file, of groups: \`per: unit\` with sum(rss) > 4GiB, count() < 3, exitRate(5m) > 0.1/s.

  Columns: \`muster ps --help\`. A rule never holds on a value that could not be read.
  \`muster rules check FILE\` finds the faults of a file and says what matches now. All of it: docs/rules.md.

Configuration file (YAML; paths are relative to it):
  interval: 5                # seconds
  directory: evidence
  grace: 10                  # seconds
  outcome: 60                # seconds that a restarted process is followed
  source: auto               # auto, bpf, procfs
  governor:                  # keeps restarts in bounds; see docs/governor.md
    concurrent: 2
  builtin: [zombies, stuck]
  notify:                    # webhook, command, log; see docs/alerts.md
    - type: webhook
      url: https://alerts.example.com/hook
      secretEnv: HOOK_SECRET
      minSeverity: critical
  rules:
    - name: leaking workers
      match: { name: node, user: www-data }
      when: rss > 500MiB for 30s
      clear: rss < 400MiB    # an alert ends only when this holds
      severity: critical     # info, warning, critical
      cooldown: 10m
      actions: [evidence, { type: restart, after: 5m }]
      limits: { perWindow: 3/1h }

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
  muster watch -p $(pgrep -o mysqld) -t 60 --once || echo 'over 60 % of memory'`
