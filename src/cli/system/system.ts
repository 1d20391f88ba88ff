import { setTimeout as sleep } from 'node:timers/promises'
import { Sampler } from '../../public/sampler.js'
import { SystemMonitor, type SystemSection, type SystemStats } from '../../public/system.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail } from '../fault.js'
import { printJson } from '../inspect/json.js'
import { clockTime } from '../quantities.js'
import { passed, StopSignals } from '../stop_signals.js'
import { didYouMean } from '../suggest.js'
import { escapeForTerminal } from '../terminal.js'
import { quoted, readNumber } from '../values.js'
import { SECTION_NAMES, SECTIONS, type Section, USUAL_SECTIONS, WINDOW_MS } from './sections.js'
import { printSection } from './system_text.js'

/** As commander hands them over. */
export interface RawSystem {
  watch?: string
  json?: boolean
}

const WATCH = {
  flag: '--watch',
  wanted: 'seconds from 0.1 to 86400, for example 2',
  min: 0.1,
  max: 86_400,
  suffix: 's',
}

/** `muster system` with what the user gave. */
export async function tellSystem(words: readonly string[], raw: RawSystem): Promise<void> {
  const faults = new FaultList()
  const asked = words.flatMap((word) => sectionOf(word, faults) ?? [])
  const seconds = raw.watch === undefined ? undefined : readNumber(raw.watch, WATCH, faults)
  faults.throwIfAny()
  const shown = asked.length === 0 ? USUAL_SECTIONS : SECTION_NAMES.filter((name) => asked.includes(name))
  const files = new Set(shown.flatMap((name): readonly SystemSection[] => SECTIONS[name]))
  const monitor = new SystemMonitor({ sections: [...files] })
  // The bpf source would have to be started for a few samples.
  await using sampler = shown.includes('processes') ? await Sampler.open({ source: 'procfs' }) : undefined
  const read = async () => monitor.read(await sampler?.sample())
  warnOfMissing(await monitor.read(), files.size)
  if (seconds === undefined) {
    await sleep(WINDOW_MS)
    return print(await read(), shown, raw.json === true)
  }
  using signals = new StopSignals()
  for (let waitMs = WINDOW_MS; await passed(waitMs, signals.signal); waitMs = seconds * 1000) {
    const stats = await read()
    if (raw.json !== true) process.stdout.write(`--- ${clockTime(stats.atMs)} ---\n`)
    await print(stats, shown, raw.json === true)
  }
  if (signals.exitCode !== undefined) process.exitCode = signals.exitCode
}

function sectionOf(word: string, faults: FaultList): Section | undefined {
  const hint = `${didYouMean(word, SECTION_NAMES)}; give some of ${SECTION_NAMES.join(', ')}`
  return (
    SECTION_NAMES.find((name) => name === word) ??
    faults.add(EXIT.malformed, `${quoted(word)} is no section${hint}`)
  )
}

function warnOfMissing({ missing }: SystemStats, wanted: number): void {
  if (missing.length === 0) return
  const reasons = escapeForTerminal(missing.map(({ reason }) => reason).join('; '))
  if (missing.length === wanted) fail(EXIT.failure, `${reasons}; give other sections, or run on the host`)
  process.stderr.write(`muster: not to be had here: ${reasons}\n`)
}

async function print(stats: SystemStats, shown: readonly Section[], json: boolean): Promise<void> {
  if (json) return printJson(stats)
  let isFirst = true
  for (const section of shown) {
    if (!isFirst) process.stdout.write('\n')
    isFirst = false
    await printSection(section, stats)
  }
}
