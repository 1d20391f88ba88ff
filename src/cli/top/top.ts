import pc from 'picocolors'
import { Sampler } from '../../public/sampler.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail } from '../fault.js'
import { requireSource } from '../require_source.js'
import { StopSignals } from '../stop_signals.js'
import { colorsFor } from '../terminal.js'
import { requireUser } from '../users.js'
import { type RawTop, readTopOptions } from './options.js'
import { Screen } from './screen.js'

/** `muster top` with what the user gave. */
export async function top(raw: RawTop): Promise<void> {
  const faults = new FaultList()
  const options = readTopOptions(raw, faults)
  if (options.view.user !== undefined) await requireUser(options.view.user, faults)
  requireSource(options.source, faults)
  faults.throwIfAny()
  if (!process.stdin.isTTY || !process.stdout.isTTY || process.env.TERM === 'dumb') {
    fail(
      EXIT.failure,
      'muster top takes a whole terminal, on stdin and stdout; `muster ps --top cpu` lists once, with --watch again and again',
    )
  }
  const [{ Session }, sampler] = await Promise.all([
    import('./session.js'),
    Sampler.open({ source: options.source }),
  ])
  await using _ = sampler
  using stop = new StopSignals()
  const colors = colorsFor(process.stdout)
  // Where the cursor is has to be seen without colours too.
  const { inverse } = pc.createColors(true)
  using screen = new Screen(
    { input: process.stdin, output: process.stdout },
    { onKey: (key, isPasted) => session.press(key, isPasted), onResize: () => session.draw() },
  )
  const session = new Session(sampler, screen, options, { colors, inverse, ascii: options.ascii })
  screen.enter()
  await session.run(stop.signal)
  if (stop.exitCode !== undefined) process.exitCode = stop.exitCode
}
