import { Command, Option } from 'commander'
import { fieldWords } from '../ps/fields.js'
import { SAMPLE_SOURCES, sourceOption } from '../source_option.js'
import { completing, valueOption } from '../value_option.js'
import { HELP_LINES } from './help.js'
import type { RawTop } from './options.js'

export function command(): Command {
  return new Command('top')
    .description('all processes on the whole screen: sort, filter, tree, act on them')
    .addOption(
      completing(
        new Option(
          '-s, --sort <COLUMN>',
          'sort by a column, cpu unless given; -COLUMN, +COLUMN for a direction',
        ),
        fieldWords().flatMap((word) => [word, `-${word}`, `+${word}`]),
      ),
    )
    .addOption(valueOption('-i, --interval <SECONDS>', 'between two samples, 0.1 and more; 1 unless given'))
    .addOption(valueOption('-f, --filter <TEXT>', 'processes with TEXT in name, user, command line or unit'))
    .addOption(valueOption('-u, --user <USER>', "this user's processes only (name or uid)"))
    .option('-t, --tree', 'children below their parents')
    .addOption(sourceOption('samples', SAMPLE_SOURCES))
    .option('--ascii', 'no blocks and lines; the default where the locale is not UTF-8')
    .addHelpText('after', HELP)
    .action(async (raw: RawTop) => (await import('./top.js')).top(raw))
}

const HELP = `
Keys:
${HELP_LINES.map((line) => `  ${line}`).join('\n')}

  A signal, a nice value and a limit are asked about first, and go to the very process that the question names, even if its
  pid is another's by then. PSI is the share of the last ten seconds in which something waited for it. Columns: \`muster ps --help\`.

Examples:
  muster top --sort memory
  muster top --user www-data --tree
  muster top --filter postgres --interval 0.5

Exit codes: 0 quit; 1 no terminal; 2, 3, 4 bad input; 6 a source that is not permitted; 129, 130, 143 it was stopped.
\`muster --help\` lists all.`
