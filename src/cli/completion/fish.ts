import type { KnownCommand, KnownFlag, KnownValue } from './known_command.js'

/** The completion script of fish. */
export function fish(program: KnownCommand): string {
  const lines = [
    '# fish completion of muster',
    `function __muster_jobs
  set -l base $XDG_STATE_HOME
  test -n "$base"; or set base $HOME/.local/state
  for file in $base/muster/jobs/*.json
    string replace -r '^.*/(.*)\\.json$' '$1' -- $file
  end
end`,
    'complete -c muster -f',
  ]
  for (const command of program.commands) {
    const { name, description, commands } = command
    lines.push(`complete -c muster -n __fish_use_subcommand -a ${name} -d ${quote(description)}`)
    const seen = `__fish_seen_subcommand_from ${name}`
    const names = commands.map((inner) => inner.name).join(' ')
    if (names !== '') {
      const none = `${seen}; and not __fish_seen_subcommand_from ${names}`
      for (const inner of commands) {
        lines.push(`complete -c muster -n '${none}' -a ${inner.name} -d ${quote(inner.description)}`)
        lines.push(...linesOf(inner, `${seen}; and __fish_seen_subcommand_from ${inner.name}`))
      }
    }
    lines.push(...linesOf(command, seen))
  }
  const all = program.commands.map(({ name }) => name).join(' ')
  lines.push(`complete -c muster -n '__fish_seen_subcommand_from help' -a '${all}'`)
  return `${lines.join('\n')}\n`
}

const quote = (text: string): string => `'${text.replaceAll(/['\\]/g, '\\$&')}'`

function linesOf({ flags, operand }: KnownCommand, condition: string): string[] {
  // Where a word begins with - fish takes its letters for flags, and asks none before it for its values.
  const dashed = flags.filter(({ value }) => value?.words.some((word) => word.startsWith('-')))
  const after = ({ names }: KnownFlag) => `contains -- (commandline -poc)[-1] ${names.join(' ')}`
  const elsewhere = dashed.map((flag) => `; and not ${after(flag)}`).join('')
  const start = `complete -c muster -n '${condition}${elsewhere}'`
  const lines = flags.map(({ names, description, value }) => {
    const spelt = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
    return `${start} ${spelt.join(' ')}${value === undefined ? '' : ofFlag(value)} -d ${quote(description)}`
  })
  for (const flag of dashed) {
    lines.push(`complete -c muster -n '${condition}; and ${after(flag)}' -a ${wordsOf(flag.value!)}`)
  }
  return operand === undefined ? lines : [...lines, `${start}${ofOperand(operand)}`]
}

const ofFlag = (value: KnownValue): string =>
  value.kind === 'path' ? ' -r -F' : value.words.length === 0 ? ' -x' : ` -x -a ${wordsOf(value)}`

const ofOperand = (value: KnownValue): string => (value.kind === 'path' ? ' -F' : ` -a ${wordsOf(value)}`)

function wordsOf({ kind, words }: KnownValue): string {
  if (kind === 'job') return "'(__muster_jobs)'"
  const all = words.join(' ')
  return kind === 'list' ? quote(`(__fish_complete_list , 'string split " " "${all}"')`) : `'${all}'`
}
