import { type KnownCommand, type KnownValue, nextWords } from './known_command.js'

/** The completion script of bash. */
export function bash(program: KnownCommand): string {
  const cases = program.commands.flatMap((command) => [
    // The inner ones first: the pattern of the outer one fits theirs too.
    ...command.commands.map((inner) => oneCase(`'${command.name} ${inner.name}'`, inner)),
    oneCase(`'${command.name} '*`, command),
  ])
  return `# bash completion of muster
_muster_jobs() {
  local file
  for file in "\${XDG_STATE_HOME:-$HOME/.local/state}"/muster/jobs/*.json; do
    file=\${file##*/}
    [[ $file == '*.json' ]] || printf '%s\\n' "\${file%.json}"
  done
}
_muster() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} inner= words= list= files=
  (( COMP_CWORD > 2 )) && inner=\${COMP_WORDS[2]}
  case "\${COMP_WORDS[1]} $inner" in
${cases.join('\n')}
    'help '*) words='${program.commands.map(({ name }) => name).join(' ')}' ;;
  esac
  (( COMP_CWORD > 1 )) || words='${nextWords(program).join(' ')}'
  if [[ $files && $current != -* ]]; then compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return; fi
  # Of a list the last item is what is being written.
  [[ $list && $current == *,* ]] && list=\${current%,*}, || list=
  mapfile -t COMPREPLY < <(compgen -P "$list" -W "$words" -- "\${current#"$list"}")
}
complete -o default -F _muster muster
`
}

function oneCase(pattern: string, command: KnownCommand): string {
  const values = command.flags
    .filter(({ value }) => value !== undefined)
    .map(({ names, value }) => `${names.join('|')}) ${assignment(value!)} ;;`)
  const words = nextWords(command).join(' ')
  const own = command.operand === undefined ? '' : more(command.operand)
  const byValue = values.length === 0 ? '' : `; case $previous in ${values.join(' ')} esac`
  return `    ${pattern}) words='${words}'${own}${byValue} ;;`
}

/** Instead of the flags. */
function assignment({ kind, words }: KnownValue): string {
  if (kind === 'path') return 'files=1'
  return `words='${words.join(' ')}'${kind === 'list' ? ' list=1' : ''}`
}

/** Besides the flags. */
function more({ kind }: KnownValue): string {
  if (kind === 'job') return ' words+=" $(_muster_jobs)"'
  return kind === 'path' ? ' files=1' : ''
}
