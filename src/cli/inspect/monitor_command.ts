import type { Command } from 'commander'
import type { RawMonitor } from './monitor.js'
import { pidCommand } from './pid_command.js'
import { addTrackOptions } from './track_options.js'

export function command(): Command {
  return addTrackOptions(pidCommand('monitor', 'watch one process live, until it ends'))
    .option('--pss', 'PSS too; the kernel walks all pages of the process for each sample')
    .addHelpText('after', HELP)
    .action(async (word: string | undefined, raw: RawMonitor) =>
      (await import('./monitor.js')).monitorProcess(word, raw),
    )
}

const HELP = `
  A view: on a terminal it is drawn in place, elsewhere a block for each sample with a blank line between. \`muster track\`
  has fewer numbers, a line for each sample, to be kept. What was seen last stays on the screen.

  When the process ends it says how: exit code, or signal and sender, where the kernel tells of ends (\`muster doctor\`).
  --json has {"type":"sample"} a line for each, and {"type":"end"} for that. CPU is in percent of a core, and
  rates are per second, both since the sample before. Context switches are those of the main thread. A dash stands for what the
  first sample cannot have, or may not be read.

Examples:
  muster monitor 1234
  muster monitor 1234 --interval 0.5 --pss
  muster monitor "$(pgrep -o mysqld)" --for 1m --json \\
    | jq -c 'select(.type == "end")'

Exit codes: 0 success, also when the process has ended, however it did; 2, 3, 4 bad input; 5 no such process; 129, 130, 143 it
was stopped. \`muster --help\` lists all.`
