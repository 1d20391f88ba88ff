import { Argument, Command } from 'commander'
import { valueOption } from '../value_option.js'
import { SECTION_NAMES, USUAL_SECTIONS, WINDOW_MS } from './sections.js'
import type { RawSystem } from './system.js'

export function command(): Command {
  const sections = new Argument('[section...]', 'what to tell')
  // For the completion; not by choices(): a fault is ours to report.
  sections.argChoices = [...SECTION_NAMES]
  return new Command('system')
    .description('tell how the host does: CPU, memory, load, processes, pressure, disks, network')
    .addArgument(sections)
    .addOption(valueOption('-w, --watch <SECONDS>', 'again and again until Ctrl-C'))
    .option('-j, --json', 'JSON with plain numbers (bytes, ms, %); with --watch a line for each reading')
    .addHelpText('after', HELP)
    .action(async (words: string[], raw: RawSystem) => (await import('./system.js')).tellSystem(words, raw))
}

const HELP = `
  Without a section: ${USUAL_SECTIONS.join(', ')}.
  Rates are measured over ${WINDOW_MS} ms, with --watch over the time since the last reading. Percents of cpu are of all cores
  together, those of cores of one. What this kernel or container does not tell is said on stderr.

Examples:
  muster system
  muster system memory pressure
  muster system cpu disks --watch 2
  muster system interrupts
  muster system --json | jq '.memory.availableBytes, .rates.cpu.busy'

Exit codes: 0 success; 1 nothing of it is to be had here; 2, 3, 4 bad input; 129, 130, 143 --watch was stopped.
\`muster --help\` lists all.`
