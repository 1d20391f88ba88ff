import type { KnownCommand, KnownValue } from './known_command.js'

/** The completion script of zsh. */
export function zsh(program: KnownCommand): string {
  const cases = program.commands.flatMap((command) => [
    ...command.commands.map((inner) => `    '${command.name} ${inner.name}') ${argumentsOf(inner, 3)} ;;`),
    `    '${command.name} '*) ${argumentsOf(command, 2)} ;;`,
  ])
  const names = program.commands.map(({ name, description }) => `'${name}:${quote(description)}'`)
  return `#compdef muster
_muster_jobs() {
  local -a jobs=("\${XDG_STATE_HOME:-$HOME/.local/state}"/muster/jobs/*.json(N:t:r))
  compadd -a jobs
}
_muster() {
  if (( CURRENT == 2 )); then
    local -a commands=(${names.join(' ')})
    _describe command commands
    return
  fi
  local inner=
  (( CURRENT > 3 )) && inner=$words[3]
  case "$words[2] $inner" in
${cases.join('\n')}
    'help '*) _arguments '2:command:(${program.commands.map(({ name }) => name).join(' ')})' ;;
  esac
}
compdef _muster muster
`
}

const quote = (text: string): string => text.replaceAll("'", "'\\''").replaceAll(/[[\]:]/g, '\\$&')

/** @param first the position of the first word behind the command */
function argumentsOf({ flags, operand, commands }: KnownCommand, first: number): string {
  const specs = flags.flatMap(({ names, description, value }) =>
    names.map(
      (name) => `'${name}[${quote(description)}]${value === undefined ? '' : `:value:${action(value)}`}'`,
    ),
  )
  if (commands.length > 0) specs.push(`'${first}:command:(${commands.map(({ name }) => name).join(' ')})'`)
  if (operand !== undefined) {
    const place = operand.kind === 'word' ? first : '*'
    specs.push(`'${place}:operand:${action(operand)}'`)
  }
  return `_arguments ${specs.join(' ')}`
}

function action({ kind, words }: KnownValue): string {
  if (kind === 'path') return '_files'
  if (kind === 'job') return '_muster_jobs'
  if (words.length === 0) return ''
  return kind === 'list' ? `_sequence compadd - ${words.join(' ')}` : `(${words.join(' ')})`
}
