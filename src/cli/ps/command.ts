import { Argument, Command, Option } from 'commander'
import { RATE_WINDOW_MS } from '../../public/table.js'
import { STATES } from '../inspect/states.js'
import { SAMPLE_SOURCES, sourceOption } from '../source_option.js'
import { completing, valueOption } from '../value_option.js'
import { fieldNames, fieldWords, shortWords } from './fields.js'
import { type RawPsOptions, WATCH_SECONDS } from './options.js'

export function command(): Command {
  return new Command('ps')
    .description('list processes: filter, sort, limit')
    .addArgument(viewArgument())
    .addOption(
      completing(valueOption('-c, --columns <LIST>', 'columns to show, separated by commas'), fieldWords()),
    )
    .addOption(
      completing(
        new Option('-s, --sort <COLUMN>', 'sort by a column, -COLUMN for descending'),
        fieldWords().flatMap((word) => [word, `-${word}`]),
      ),
    )
    .addOption(valueOption('-l, --limit <N>', 'show at most N processes'))
    .addOption(
      completing(valueOption('--top <WHAT>', 'the ten that use most: cpu or memory'), ['cpu', 'memory']),
    )
    .addOption(valueOption('-p, --pid <LIST>', 'these PIDs only'))
    .addOption(valueOption('-u, --user <USER>', "this user's processes only (name or uid)"))
    .addOption(valueOption('-n, --name <TEXT>', 'processes with TEXT in their name'))
    .addOption(
      completing(
        valueOption('--state <LIST>', 'processes in these states, for example R,D,Z'),
        Object.keys(STATES),
      ),
    )
    .addOption(valueOption('--min-cpu <PERCENT>', 'at least this much CPU, 100 for one core'))
    .addOption(valueOption('--min-memory <PERCENT>', 'at least this much of physical memory'))
    .addOption(
      valueOption(
        '-w, --watch [SECONDS]',
        `again and again until Ctrl-C, each ${WATCH_SECONDS} s unless given`,
      ),
    )
    .addOption(sourceOption('samples', SAMPLE_SOURCES))
    .option('--exact', 'resident memory to the page; the bpf source is near it otherwise')
    .option('-v, --verbose', 'say on stderr which source was used, and why')
    .option('-j, --json', 'a JSON array with plain numbers (bytes, ns, %); missing cells are null')
    .addHelpText('after', () => HELP)
    .action(async (view: string | undefined, raw: RawPsOptions) =>
      (await import('./list.js')).list(view, raw),
    )
}

function viewArgument(): Argument {
  const argument = new Argument('[view]', 'aux: the columns of `ps aux`')
  // Not by choices(): a fault is ours to report.
  argument.argChoices = ['aux']
  return argument
}

const HELP = `
Columns (upper or lower case):
${wrap(fieldNames().join(' '))}

Short words for them:
${wrap(
  shortWords()
    .join(', ')
    .replaceAll(': ', ':\u00a0')
    .replaceAll(/ (?!\S+:)/g, '\u00a0'),
).replaceAll('\u00a0', ' ')}

  Rates (cpu, ...PerSecond) are measured over ${RATE_WINDOW_MS.procfs} ms, with bpf ${RATE_WINDOW_MS.bpf}. Sizes are 1024-based.
  A cell that could not be read is shown as -.
  With --watch they are measured since the look before. On a terminal it is drawn in place, as many lines as fit; elsewhere
  there is a blank line between two looks, and with --json each is one line.

  aux has the columns of ps(1) with its letters in STAT: the state, then < (nice below 0) or N (above), L (memory locked),
  s (session leader), l (several threads), + (in the foreground). Its %CPU is that of now, as in top, where ps(1) has the
  average over the life of the process: that is the column lifetimeCpuPercent here. VSZ and RSS have a unit instead of
  being KiB; ? is no terminal.

  auto takes the bpf source where the kernel lets it fill the table, at a small part of the cost, and procfs elsewhere;
  the column source and -v say which it was. With bpf, cpuTimeNs and cpu are exact to the nanosecond, and rss is off by
  less than 3 x CPUs x max(32, 2 x CPUs) pages unless --exact is given.

Examples:
  muster ps aux
  muster ps aux --sort -cpu --limit 10
  muster ps --watch --top cpu
  muster ps --top memory
  muster ps --state D,Z --columns pid,ppid,state,age,command
  muster ps --user www-data --min-cpu 5 --sort -cpu
  muster ps --top memory --exact --source bpf -v
  muster ps --sort -openFiles --limit 5 --columns pid,openFiles,cgroup,name
  muster ps --json | jq '[.[] | select(.rssBytes > 1e9)]'

Exit codes: 0 success; 2, 3, 4 bad input; 5 no such process; 6 a source that is not permitted;
129, 130, 143 --watch was stopped. \`muster --help\` lists all.`

function wrap(text: string): string {
  return text.replaceAll(/(.{1,76})(\s+|$)/g, '  $1\n').trimEnd()
}
