import { FaultList } from '../fault.js'
import { StopSignals } from '../stop_signals.js'
import { colorsFor } from '../terminal.js'
import { type RawWatchOptions, readWatchFlags } from './options.js'
import { planWatch } from './plan.js'
import { JsonReporter, TextReporter } from './report.js'
import { runWatch } from './run.js'

/** `muster watch` with what the user gave, to its end. */
export async function startWatch(raw: RawWatchOptions): Promise<void> {
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
