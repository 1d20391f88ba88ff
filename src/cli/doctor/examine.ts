import { CHECK_IDS, type CheckId } from '../../public/checks.js'
import { type Diagnosis, diagnose } from '../../public/system.js'
import { EXIT } from '../exit_codes.js'
import { FaultList } from '../fault.js'
import { didYouMean } from '../suggest.js'
import { colorsFor, safeJson, widthOf } from '../terminal.js'
import { quoted, splitList } from '../values.js'
import { reportLines } from './report.js'

/** As commander hands them over. */
export interface RawDoctorOptions {
  require?: string
  json?: boolean
}

export async function examine(raw: RawDoctorOptions): Promise<void> {
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
