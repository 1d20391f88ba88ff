import { uptime } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Sampler } from '../../public/sampler.js'
import { type OptionalGroup, type ProcessRow, RATE_WINDOW_MS, type Table } from '../../public/table.js'
import { FaultList } from '../fault.js'
import { failUnseen } from '../no_such_process.js'
import { printTable, tableLines } from '../print_table.js'
import { requireSource } from '../require_source.js'
import { Screen } from '../screen.js'
import { passed, StopSignals } from '../stop_signals.js'
import { escapeForTerminal, widthOf } from '../terminal.js'
import { requireUser } from '../users.js'
import { type FieldContext, textColumns } from './fields.js'
import { type PsOptions, type RawPsOptions, readPsOptions } from './options.js'
import { printJson } from './print.js'
import { selectRows } from './select.js'

/** `muster ps` with what the user gave. */
export async function list(view: string | undefined, raw: RawPsOptions): Promise<void> {
  const faults = new FaultList()
  const read = readPsOptions(view, raw, faults)
  const options = read.user === undefined ? read : { ...read, user: await requireUser(read.user, faults) }
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
  const table = await sampler.sample()
  if (options.pids) await refuseMissing(options.pids, table)
  if (options.verbose)
    process.stderr.write(`muster: samples from ${escapeForTerminal(sampler.sourceReason)}\n`)
  if (options.watchSeconds === undefined) {
    if (!needsRates) return print(await viewOf(table, sampler, options), options)
    await sleep(RATE_WINDOW_MS[table.source])
    return print(await viewOf(await sampler.sample(), sampler, options), options)
  }
  using signals = new StopSignals()
  const screen = new Screen()
  let waitMs: number = RATE_WINDOW_MS[table.source]
  while (await passed(waitMs, signals.signal)) {
    const limit = options.json ? options.limit : Math.min(options.limit, screen.height - 1)
    const view = await viewOf(await sampler.sample(), sampler, { ...options, limit })
    if (options.json) await printJson(view.rows, options.fields, view.context, process.stdout, '')
    else
      await screen.show(
        tableLines(view.rows, textColumns(options.fields, view.context), widthOf(process.stdout)),
      )
    waitMs = options.watchSeconds * 1000
  }
  if (signals.exitCode !== undefined) process.exitCode = signals.exitCode
}

interface View {
  readonly rows: readonly ProcessRow[]
  readonly context: FieldContext
}

async function viewOf(table: Table, sampler: Sampler, options: PsOptions): Promise<View> {
  const context: FieldContext = { uptimeSeconds: uptime(), sampledAtMs: table.sampledAtMs }
  // Sorting by a detail needs it of all rows; else only of those that are shown.
  if (options.sort?.field.isDetail) await sampler.readDetails(table)
  const rows = selectRows(table, options, context)
  if (options.fields.some((field) => field.isDetail)) await sampler.readDetails(rows)
  return { rows, context }
}

const print = ({ rows, context }: View, { fields, json }: PsOptions): Promise<void> =>
  json
    ? printJson(rows, fields, context, process.stdout, '\n')
    : printTable(rows, textColumns(fields, context))

async function refuseMissing(pids: ReadonlySet<number>, table: Table): Promise<void> {
  const missing = [...pids].filter((pid) => table.get(pid) === undefined)
  if (missing.length > 0) await failUnseen(missing, '--pid')
}
