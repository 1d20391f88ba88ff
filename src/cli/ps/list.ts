import { uptime } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Sampler } from '../../public/sampler.js'
import { type OptionalGroup, RATE_WINDOW_MS, type Table } from '../../public/table.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail } from '../fault.js'
import { printTable } from '../print_table.js'
import { requireSource } from '../require_source.js'
import { escapeForTerminal } from '../terminal.js'
import { requireUser } from '../users.js'
import { type FieldContext, textColumns } from './fields.js'
import { type PsOptions, type RawPsOptions, readPsOptions } from './options.js'
import { printJson } from './print.js'
import { selectRows } from './select.js'

/** `muster ps` with what the user gave. */
export async function list(view: string | undefined, raw: RawPsOptions): Promise<void> {
  const faults = new FaultList()
  const options = readPsOptions(view, raw, faults)
  if (options.user !== undefined) await requireUser(options.user, faults)
  requireSource(options.source, faults)
  faults.throwIfAny()
  await listProcesses(options)
}

async function listProcesses(options: PsOptions): Promise<void> {
  const asked = [...options.fields, ...(options.sort ? [options.sort.field] : [])]
  const fromFields = asked.flatMap((field): readonly OptionalGroup[] => field.groups)
  const groups = [...new Set([...fromFields, ...(options.exact ? (['exactRss'] as const) : [])])]
  const needsRates = asked.some((field) => field.isRate) || options.minCpuPercent !== undefined

  await using sampler = await Sampler.open({ source: options.source, groups })
  let table = await sampler.sample()
  if (options.pids) refuseMissing(options.pids, table)
  if (needsRates) {
    await sleep(RATE_WINDOW_MS[table.source])
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
  return printTable(rows, textColumns(options.fields, context))
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
