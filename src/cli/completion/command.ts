import { Argument, Command } from 'commander'
import { EXIT } from '../exit_codes.js'
import { fail } from '../fault.js'
import { quoted } from '../values.js'

const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

function shellOf(word: string): Shell {
  const shell = SHELLS.find((each) => each === word)
  return shell ?? fail(EXIT.malformed, `shell ${quoted(word)} is not known; give ${SHELLS.join(', ')}`)
}

/** `muster completion SHELL`: a script made from the very definitions that parse the command line. */
export function command(): Command {
  return new Command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('[shell]', 'bash, zsh or fish').choices(SHELLS).argParser(shellOf))
    .addHelpText(
      'after',
      `
  It knows commands, flags, the words that values are made of, the names of signals, and those of jobs at that moment.

Examples:
  source <(muster completion bash)                          this shell only
  muster completion zsh > "\${fpath[1]}/_muster"
  muster completion fish > ~/.config/fish/completions/muster.fish`,
    )
    .action(async (shell: Shell | undefined) => {
      if (shell === undefined) fail(EXIT.usage, `a shell is missing; give ${SHELLS.join(', ')}`)
      process.stdout.write(await (await import('./script.js')).script(shell))
    })
}
