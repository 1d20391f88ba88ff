import { Command } from 'commander'
import { CHECK_IDS, type CheckId, type Diagnosis, diagnose } from '../../index.js'
import { EXIT } from '../exit_codes.js'
import { FaultList } from '../fault.js'
import { didYouMean } from '../suggest.js'
import { colorsFor, safeJson, widthOf } from '../terminal.js'
import { valueOption } from '../value_option.js'
import { quoted, splitList } from '../values.js'
import { reportLines } from './report.js'

interface RawDoctorOptions {
  require?: string
  json?: boolean
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('check what works here, what it gains, and how to grant the rest')
    .addOption(
      valueOption(
        '--require <LIST>',
        'only these checks decide the exit code, separated by commas',
        CHECK_IDS,
      ),
    )
    .option('-j, --json', 'one JSON object; what does not apply is null')
    .addHelpText('after', HELP)
    .action(doctor)
}

async function doctor(raw: RawDoctorOptions): Promise<void> {
  const faults = new FaultList()
  const required = raw.require === undefined ? CHECK_IDS : checksOf(raw.require, faults)
  faults.throwIfAny()
  const diagnosis = await diagnose()
  const fulfilled = isFulfilled(diagnosis, required)
  const { stdout } = process
  stdout.write(
    raw.json
      ? `${safeJson(withNulls({ version: 1, fulfilled, required, ...diagnosis }))}\n`
      : `${reportLines(diagnosis, colorsFor(stdout), widthOf(stdout)).join('\n')}\n`,
  )
  process.exitCode = fulfilled ? EXIT.ok : EXIT.lacking
}

function checksOf(list: string, faults: FaultList): CheckId[] {
  const words = splitList(list)
  if (words.length === 0) faults.add(EXIT.malformed, '--require is empty; give checks like bpf-source,pidfd')
  return words.flatMap((word) => {
    const id = CHECK_IDS.find((each) => each === word)
    const hint = `${didYouMean(word, CHECK_IDS)}; give some of ${CHECK_IDS.join(', ')}`
    return id ?? faults.add(EXIT.malformed, `--require ${quoted(word)} is no check${hint}`) ?? []
  })
}

function isFulfilled({ checks }: Diagnosis, required: readonly CheckId[]): boolean {
  return checks.every(({ id, state }) => state === 'ok' || !required.includes(id))
}

/** JSON leaves out what is undefined; every key is to be there. */
function withNulls(value: unknown): unknown {
  if (value === undefined) return null
  if (Array.isArray(value)) return value.map(withNulls)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withNulls(each)]))
}

const HELP = `
  ok works fully. limited works in part. missing does not work here; the report says what is done without it.
  Nothing is changed. The bpf program is loaded and run once, where nothing is in its way.

Examples:
  muster doctor
  muster doctor --require bpf-source,lifecycle-events && echo "the kernel can fill the table"
  muster doctor --json | jq -r '.grants[-1].systemd[]?'     lines for a unit's [Service] section

Exit codes: 0 all is ok; 12 something is limited or missing (with --require: of what it names); 2, 3 bad input.
\`muster --help\` lists all.`
