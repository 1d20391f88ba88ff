import { uptime } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { type OptionalGroup, Sampler, type Table } from '../../index.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail } from '../fault.js'
import { requireSource, SAMPLE_SOURCES, sourceOption } from '../source_option.js'
import { colorsFor, escapeForTerminal, widthOf } from '../terminal.js'
import { requireUser } from '../users.js'
import { valueOption } from '../value_option.js'
import { type FieldContext, fieldNames, shortWords } from './fields.js'
import { type PsOptions, type RawPsOptions, readPsOptions } from './options.js'
import { printJson, printTable } from './print.js'
import { selectRows } from './select.js'

const RATE_WINDOW_MS = 150 // 15 clock ticks, the unit that the kernel counts CPU time in: steps of 7 % of a core

export function psCommand(): Command {
  return new Command('ps')
    .description('list processes: filter, sort, limit')
    .addOption(valueOption('-c, --columns <LIST>', 'columns to show, separated by commas'))
    .option('-s, --sort <COLUMN>', 'sort by a column, -COLUMN for descending')
    .addOption(valueOption('-l, --limit <N>', 'show at most N processes'))
    .addOption(valueOption('--top <WHAT>', 'the ten that use most: cpu or memory'))
    .addOption(valueOption('-p, --pid <LIST>', 'these PIDs only'))
    .addOption(valueOption('-u, --user <USER>', "this user's processes only (name or uid)"))
    .addOption(valueOption('-n, --name <TEXT>', 'processes with TEXT in their name'))
    .addOption(valueOption('--state <LIST>', 'processes in these states, for example R,D,Z'))
    .addOption(valueOption('--min-cpu <PERCENT>', 'at least this much CPU, 100 for one core'))
    .addOption(valueOption('--min-memory <PERCENT>', 'at least this much of physical memory'))
    .addOption(sourceOption('samples', SAMPLE_SOURCES))
    .option('--exact', 'resident memory to the page; the bpf source is near it otherwise')
    .option('-v, --verbose', 'say on stderr which source was used, and why')
    .option('-j, --json', 'a JSON array with plain numbers (bytes, ns, %); missing cells are null')
    .addHelpText('after', () => HELP)
    .action(async (raw: RawPsOptions) => {
      const faults = new FaultList()
      const options = readPsOptions(raw, faults)
      if (options.user !== undefined) await requireUser(options.user, faults)
      requireSource(options.source, faults)
      faults.throwIfAny()
      await list(options)
    })
}

async function list(options: PsOptions): Promise<void> {
  const asked = [...options.fields, ...(options.sort ? [options.sort.field] : [])]
  const fromFields = asked.flatMap((field): readonly OptionalGroup[] => field.groups)
  const groups = [...new Set([...fromFields, ...(options.exact ? (['exactRss'] as const) : [])])]
  const needsRates = asked.some((field) => field.isRate) || options.minCpuPercent !== undefined

  await using sampler = await Sampler.open({ source: options.source, groups })
  let table = await sampler.sample()
  if (options.pids) refuseMissing(options.pids, table)
  if (needsRates) {
    await sleep(RATE_WINDOW_MS)
    table = await sampler.sample()
  }
  if (options.verbose)
    process.stderr.write(`muster: samples from ${escapeForTerminal(sampler.sourceReason)}\n`)
  const context: FieldContext = {
    uptimeSeconds: uptime(),
    sampledAtMs: table.sampledAtMs,
  }
  // Sorting by a detail needs it of all rows; else only of those that are shown.
  if (options.sort?.field.isDetail) await sampler.readDetails(table)
  const rows = selectRows(table, options, context)
  if (options.fields.some((field) => field.isDetail)) await sampler.readDetails(rows)
  if (options.json) return printJson(rows, options.fields, context, process.stdout)
  return printTable(rows, options.fields, context, {
    stream: process.stdout,
    width: widthOf(process.stdout),
    colors: colorsFor(process.stdout),
  })
}

function refuseMissing(pids: ReadonlySet<number>, table: Table): void {
  const missing = [...pids].filter((pid) => table.get(pid) === undefined)
  if (missing.length > 0) {
    fail(
      EXIT.noSuchProcess,
      `--pid ${missing.join(',')}: no such process; \`muster ps\` lists those there are`,
    )
  }
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

  Rates (cpu, ...PerSecond) are measured over ${RATE_WINDOW_MS} ms. Sizes are 1024-based.
  A cell that could not be read is shown as -.

  auto takes the bpf source where the kernel lets it fill the table, at a small part of the cost, and procfs elsewhere;
  the column source and -v say which it was. With bpf, cpuTimeNs and cpu are exact to the nanosecond, and rss is off by
  less than 3 x CPUs x max(32, 2 x CPUs) pages unless --exact is given.

Examples:
  muster ps --top memory
  muster ps --state D,Z --columns pid,ppid,state,age,command
  muster ps --user www-data --min-cpu 5 --sort -cpu
  muster ps --top memory --exact --source bpf -v
  muster ps --sort -openFiles --limit 5 --columns pid,openFiles,oomScoreAdj,cgroup,name
  muster ps --json | jq '[.[] | select(.rssBytes > 1e9)]'

Exit codes: 0 success; 2, 3, 4 bad input; 5 no such process; 6 a source that is not permitted. \`muster --help\` lists all.`

function wrap(text: string): string {
  return text.replaceAll(/(.{1,90})(\s+|$)/g, '  $1\n').trimEnd()
}
