import { Argument, Command } from 'commander'
import { EXIT } from './exit_codes.js'
import { fail } from './fault.js'
import { createProgram } from './program.js'
import { quoted } from './values.js'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

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
Examples:
  source <(muster completion bash)                          this shell only
  muster completion zsh > "\${fpath[1]}/_muster"
  muster completion fish > ~/.config/fish/completions/muster.fish`,
    )
    .action(async (shell: Shell | undefined) => {
      if (shell === undefined) fail(EXIT.usage, `a shell is missing; give ${SHELLS.join(', ')}`)
      process.stdout.write(writers[shell](await createProgram()))
    })
}

interface Flag {
  readonly names: readonly string[]
  readonly description: string
  readonly takes: 'nothing' | 'value' | 'path'
  /** The words that a value is one of, or that a list is made of; empty where it is anything. */
  readonly choices: readonly string[]
}

function flagsOf(command: Command): Flag[] {
  return [...command.createHelp().visibleOptions(command)].map((option) => ({
    names: [option.short, option.long].filter((name) => name !== undefined && name !== null),
    description: option.description,
    takes: !option.required ? 'nothing' : /FILE|DIRECTORY/.test(option.flags) ? 'path' : 'value',
    choices: option.argChoices ?? [],
  }))
}

const wordsOf = (command: Command): string =>
  flagsOf(command)
    .flatMap((flag) => flag.names)
    .join(' ')
const commandsOf = (program: Command): Command[] => [...program.createHelp().visibleCommands(program)]

/** What may stand behind a command's name besides flags: words it knows, or its own commands. */
function choicesOf(command: Command): string[] {
  const inner = commandsOf(command).map((each) => each.name())
  return [...command.registeredArguments.flatMap((argument) => argument.argChoices ?? []), ...inner].filter(
    (word) => word !== 'help',
  )
}

const takesFile = (command: Command): boolean =>
  command.commands.some((each) => each.registeredArguments.some((argument) => argument.name() === 'file'))

function bash(program: Command): string {
  const commands = commandsOf(program)
  const cases = commands.map((command) => {
    const choices = choicesOf(command).join(' ')
    const values = flagsOf(command)
      .filter((flag) => flag.choices.length > 0)
      .map((flag) => `${flag.names.join('|')}) words='${flag.choices.join(' ')}' ;;`)
    const words = `words='${`${wordsOf(command)} ${choices}`.trim()}'`
    const byValue = values.length === 0 ? '' : `; case $previous in ${values.join(' ')} esac`
    return `    ${command.name()}) ${words}${byValue} ;;`
  })
  return `# bash completion of muster
_muster() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} words
  case $previous in
    ${pathFlags(commands).join('|')}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
  esac
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
    *) words='${commands.map((command) => command.name()).join(' ')} ${wordsOf(program)}' ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o filenames -o default -F _muster muster
`
}

function pathFlags(commands: readonly Command[]): string[] {
  const names = commands
    .flatMap(flagsOf)
    .filter((flag) => flag.takes === 'path')
    .flatMap((flag) => flag.names)
  return [...new Set(names)]
}

function zsh(program: Command): string {
  const commands = commandsOf(program)
  const quote = (text: string): string => text.replaceAll("'", "'\\''").replaceAll(/[[\]:]/g, '\\$&')
  const cases = commands.map((command) => {
    const specs = flagsOf(command).flatMap((flag) => {
      const words = flag.choices.length === 0 ? '' : `(${flag.choices.join(' ')})`
      const value = { nothing: '', value: `:value:${words}`, path: ':path:_files' }[flag.takes]
      return flag.names.map((name) => `'${name}[${quote(flag.description)}]${value}'`)
    })
    const choices = choicesOf(command)
    if (choices.length > 0) specs.push(`'2:choice:(${choices.join(' ')})'`)
    if (takesFile(command)) specs.push("'3:file:_files'")
    return `    ${command.name()}) _arguments ${specs.join(' ')} ;;`
  })
  const names = commands.map((command) => `'${command.name()}:${quote(command.description())}'`)
  return `#compdef muster
_muster() {
  if (( CURRENT == 2 )); then
    local -a commands=(${names.join(' ')})
    _describe command commands
    return
  fi
  case $words[2] in
${cases.join('\n')}
  esac
}
compdef _muster muster
`
}

function fish(program: Command): string {
  const commands = commandsOf(program)
  const quote = (text: string): string => `'${text.replaceAll(/['\\]/g, '\\$&')}'`
  const lines = ['# fish completion of muster', 'complete -c muster -f']
  for (const command of commands) {
    lines.push(
      `complete -c muster -n __fish_use_subcommand -a ${command.name()} -d ${quote(command.description())}`,
    )
    const seen = `-n '__fish_seen_subcommand_from ${command.name()}'`
    for (const flag of flagsOf(command)) {
      const names = flag.names.map((name) =>
        name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
      )
      const words = flag.choices.length === 0 ? '' : ` -a ${quote(flag.choices.join(' '))}`
      const value = { nothing: '', value: ` -x${words}`, path: ' -r -F' }[flag.takes]
      lines.push(`complete -c muster ${seen} ${names.join(' ')}${value} -d ${quote(flag.description)}`)
    }
    const choices = choicesOf(command)
    if (choices.length > 0) lines.push(`complete -c muster ${seen} -a '${choices.join(' ')}'`)
    if (takesFile(command)) lines.push(`complete -c muster ${seen} -F`)
  }
  return `${lines.join('\n')}\n`
}

const writers: Readonly<Record<Shell, (program: Command) => string>> = { bash, zsh, fish }
