import { ProcmusterError } from '../../public/errors.js'
import { inspectProcess, type ProcessInfo, trackResources } from '../../public/inspect.js'
import type { ProcessIdentity } from '../../public/table.js'
import { howItEnded } from '../events/format.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail } from '../fault.js'
import { Screen } from '../screen.js'
import { StopSignals } from '../stop_signals.js'
import { colorsFor, widthOf } from '../terminal.js'
import { ExitWatch } from './exit_watch.js'
import { printJson } from './json.js'
import { blockOf } from './monitor_block.js'
import { lookInto, readPid } from './target.js'
import { type RawTrack, readTrackOptions, type TrackLimits } from './track_options.js'

/** As commander hands them over. */
export interface RawMonitor extends RawTrack {
  pss?: boolean
}

interface MonitorOptions extends TrackLimits {
  readonly pss: boolean
  readonly json: boolean
}

/** `muster monitor` with what the user gave. */
export async function monitorProcess(word: string | undefined, raw: RawMonitor): Promise<void> {
  const faults = new FaultList()
  const pid = readPid(word, faults)
  const options = { ...readTrackOptions(raw, faults), pss: raw.pss === true, json: raw.json === true }
  faults.throwIfAny()
  using stop = new StopSignals()
  const how = await lookInto(pid!, (target) => showUntilItEnds(target, options, stop.signal))
  if (how === 'never there') {
    const hint = '`muster zombies` tells whose'
    fail(EXIT.noSuchProcess, `PID ${pid}: it has ended, and waits for its parent as a zombie; ${hint}`)
  }
  if (stop.exitCode !== undefined) process.exitCode = stop.exitCode
}

async function showUntilItEnds(
  target: ProcessIdentity,
  { durationMs, ...options }: MonitorOptions,
  stop: AbortSignal,
): Promise<'never there' | undefined> {
  await using watch = await ExitWatch.open(target)
  const screen = new Screen()
  const { json: _, count: __, ...track } = options
  const over = durationMs === undefined ? undefined : AbortSignal.timeout(durationMs)
  const signal = AbortSignal.any([stop, watch.signal, ...(over === undefined ? [] : [over])])
  let info: ProcessInfo | undefined
  let seen = 0
  for await (const sample of trackResources(target, { ...track, signal })) {
    seen++
    if (options.json) printJson({ type: 'sample', ...sample })
    else {
      // Who it is stays as it is, until it runs another program.
      if (info?.name !== sample.name) info = await lookAt(target)
      if (info === undefined) break
      await screen.show(blockOf(sample, info, widthOf(process.stdout)))
    }
    if (seen === options.count) return undefined
  }
  if (stop.aborted || over?.aborted) return undefined
  if (seen === 0 && !watch.signal.aborted) return 'never there'
  await tellEnd(target, watch, options.json)
  return undefined
}

async function lookAt(target: ProcessIdentity): Promise<ProcessInfo | undefined> {
  try {
    return await inspectProcess(target, { sections: [] })
  } catch (error) {
    if (error instanceof ProcmusterError && error.code === 'PROCESS_GONE') return undefined
    throw error
  }
}

// The kernel tells of an end before the process can be seen to be gone.
const END_WAIT_MS = 1000

async function tellEnd({ pid }: ProcessIdentity, watch: ExitWatch, json: boolean): Promise<void> {
  const event = await watch.event(END_WAIT_MS)
  if (json) {
    const { atMs = Date.now(), exitCode, signal, coreDumped, oomKilled, sender } = event ?? {}
    return printJson({ type: 'end', atMs, exitCode, signal, coreDumped, oomKilled, sender })
  }
  const how =
    event === undefined
      ? `how is not known, as ${watch.isHearing ? 'the kernel did not tell in time' : 'the kernel tells of no ends here (see `muster doctor`)'}`
      : howItEnded(event, colorsFor(process.stdout))
  process.stdout.write(`\nprocess ${pid} has ended: ${how}\n`)
}
