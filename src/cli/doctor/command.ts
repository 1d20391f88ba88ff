import { Command } from 'commander'
import { CHECK_IDS } from '../../public/checks.js'
import { valueOption } from '../value_option.js'
import type { RawDoctorOptions } from './examine.js'

export function command(): Command {
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
    .action(async (raw: RawDoctorOptions) => (await import('./examine.js')).examine(raw))
}

const HELP = `
  ok works fully. limited works in part. missing does not work here; the report says what is done without it.
  Nothing is changed. The bpf program is loaded and run once, where nothing is in its way.

Examples:
  muster doctor
  muster doctor --require bpf-source,lifecycle-events && echo 'bpf works here'
  muster doctor --json | jq -r '.grants[-1].systemd[]?'   lines for a [Service]

Exit codes: 0 all is ok; 12 something is limited or missing (with --require: of what it names); 2, 3 bad input.
\`muster --help\` lists all.`
