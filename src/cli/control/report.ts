import type { ProcmusterError } from '../../public/errors.js'
import { EXIT, exitCodeOf } from '../exit_codes.js'
import { FaultList, messageOf } from '../fault.js'
import { noSuchProcess } from '../no_such_process.js'
import { safeJson } from '../terminal.js'
import type { Failed, Outcome } from './targets.js'

/**
 * A line per process on stdout, those that failed on stderr; or a JSON array of all of them. The first failure
 * decides the exit code.
 * @param line what is said of one that was done
 */
export function report<Result extends Outcome>(
  results: readonly Result[],
  json: boolean | undefined,
  line: (result: Extract<Result, { ok: true }>) => string,
): void {
  const failures = results.filter((result): result is Extract<Result, { ok: false }> => !result.ok)
  if (json) {
    const records = results.map((result) =>
      result.ok ? result : { ...result, error: { code: result.error.code, message: wordedFailure(result) } },
    )
    writeArray(records)
    if (failures.length > 0) process.exitCode = exitCodeFor(failures[0]!.error)
    return
  }
  const lines = results.filter((result): result is Extract<Result, { ok: true }> => result.ok).map(line)
  if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`)
  const faults = new FaultList()
  for (const failed of failures) faults.add(exitCodeFor(failed.error), wordedFailure(failed))
  faults.throwIfAny()
}

/** One object per line. */
function writeArray(records: readonly unknown[]): void {
  const texts = records.map((record) => safeJson(record))
  process.stdout.write(texts.length === 0 ? '[]\n' : `[\n${texts.join(',\n')}\n]\n`)
}

const exitCodeFor = (error: ProcmusterError) => exitCodeOf[error.code] ?? EXIT.failure

function wordedFailure({ pid, error }: Failed): string {
  if (error.code === 'PROTECTED') {
    const what =
      pid === 1 ? 'pid 1, whom all others need' : pid === process.pid ? 'muster itself' : 'a kernel thread'
    return `process ${pid} is ${what}, and is refused; give --force if you mean it`
  }
  // Who was there when the command began has a start time.
  const isUnknown = error.code === 'PROCESS_GONE' && error.startTicks === undefined
  return isUnknown ? noSuchProcess(pid) : messageOf(error)
}
