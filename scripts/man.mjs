// Prints the page muster(1) in man(7), from the very definitions that parse the command line; `npm run build:man` keeps
// it as docs/man/muster.1. It is the same on every machine.
import { readFileSync } from 'node:fs'
import { EXIT_MEANINGS } from '../dist/cli/exit_codes.js'
import { createProgram } from '../dist/cli/program.js'

const DATE = '2026-11-27' // of the words of this file; a page without a date is a fault to mandoc(1)

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const program = await createProgram()

const SPECIAL = { '\\': '\\e', '-': '\\-', "'": '\\(aq', '`': '\\(ga', '^': '\\(ha', '~': '\\(ti' }

/** Text of one line, whatever is in it. */
function roff(text) {
  const escaped = text.replaceAll(/[\\\-'`^~]/g, (character) => SPECIAL[character])
  return escaped.startsWith('.') ? `\\&${escaped}` : escaped
}

/** Filled text, broken so that a change of it is a small change of the page. */
function filled(text) {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line === '') lines[lines.length - 1] = word
    else if (line.length + word.length < 80) lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines.map(roff).join('\n')
}

const bold = (text) => `\\fB${roff(text)}\\fR`
const macro = (name, text) => `.${name} "${roff(text).replaceAll('"', '\\(dq')}"`
const item = (term, description) => ['.TP', bold(term), filled(description)]
const verbatim = (lines) => ['.RS 4', '.nf', ...lines.map(roff), '.fi', '.RE']

/** What stands below a command's flags in its help: paragraphs and examples, each set off by an empty line. */
function notesOf(command) {
  let text = ''
  const write = (more) => {
    text += more
  }
  command.emit('afterHelp', { error: false, command, write })
  return text.split(/\n\s*\n/).map((block) => block.split('\n').filter((line) => line.trim() !== ''))
}

function printed(block) {
  const [first = '', ...rest] = block
  const heading = /^\S.*:$/.test(first) ? first : undefined
  const lines = heading === undefined ? block : rest
  const isTable = heading === 'Examples:' || lines.some((line) => /^ {3,}|\S {2,}\S/.test(line))
  const body = isTable
    ? verbatim(lines.map((line) => line.replace(/^ {2}/, '')))
    : [filled(lines.map((line) => line.trim()).join(' '))]
  return ['.PP', ...(heading === undefined ? [] : [bold(heading), ...(isTable ? [] : ['.br'])]), ...body]
}

const isExitCodes = ([first = '']) => first.startsWith('Exit codes:') && first.trim().endsWith(':')

/** A command, then those inside it. */
function section(command, names) {
  const help = command.createHelp()
  const words = [...names, command.name()]
  const inner = help.visibleCommands(command).filter((each) => each.name() !== 'help')
  const usage = inner.length > 0 ? 'command' : command.usage()
  return [
    macro('SS', `${words.join(' ')} ${usage}`),
    filled(`${sentence(command.description())}.`),
    ...help
      .visibleArguments(command)
      .flatMap((argument) => item(help.argumentTerm(argument), help.argumentDescription(argument))),
    ...flagsOf(command),
    ...notesOf(command)
      .filter((block) => block.length > 0 && !isExitCodes(block))
      .flatMap(printed),
    ...inner.flatMap((each) => section(each, words)),
  ]
}

/** -h is the same everywhere, and told once. */
function flagsOf(command) {
  const help = command.createHelp()
  return help
    .visibleOptions(command)
    .filter(({ long }) => long !== '--help')
    .flatMap((option) => item(help.optionTerm(option), help.optionDescription(option)))
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1)

function commandSections() {
  const commands = program.createHelp().visibleCommands(program)
  let heading = ''
  return commands.flatMap((command) => {
    if (command.name() === 'help') return []
    const group = command.helpGroup() ?? ''
    const lines = group === heading ? [] : [...(heading === '' ? [] : ['.PP']), bold(group)]
    heading = group
    return [...lines, ...section(command, ['muster'])]
  })
}

const globalExamples = notesOf(program).find(([first]) => first === 'Examples:')
const others = [
  'ps(1)',
  'top(1)',
  'pstree(1)',
  'pgrep(1)',
  'kill(1)',
  'lsof(8)',
  'pmap(1)',
  'prlimit(1)',
  'chrt(1)',
]
others.push(
  'taskset(1)',
  'ionice(1)',
  'lsns(8)',
  'ipcs(1)',
  'systemctl(1)',
  'proc(5)',
  'signal(7)',
  'cgroups(7)',
)

const page = [
  '.\\" Written by scripts/man.mjs from the definitions of the commands; `npm run build:man` writes it anew.',
  `.TH MUSTER 1 ${DATE} "procmuster ${version}" "User Commands"`,
  '.nh',
  '.ad l',
  '.SH NAME',
  roff(
    `muster - ${program
      .description()
      .replace(/^./, (first) => first.toLowerCase())
      .replace(/\.$/, '')}`,
  ),
  '.SH SYNOPSIS',
  `${bold('muster')} [${bold('--debug')}] \\fIcommand\\fR [\\fIargument\\fR ...]`,
  '.br',
  `${bold('muster help')} [\\fIcommand\\fR]`,
  '.SH DESCRIPTION',
  filled(
    'muster lists the processes of a Linux host, looks into them, controls them, and watches them by rules: on a ' +
      'breach it keeps evidence, alerts, and restarts within bounds.',
  ),
  '.PP',
  filled(
    'Nothing needs root; what may not be read is shown as -, in JSON as null, with the reason. A process is known by ' +
      'its PID and its start time, so that another that has got its PID is left alone. Names and command lines are ' +
      'chosen by the processes themselves: control characters in them are written as escapes.',
  ),
  '.PP',
  filled('Every command has --help. In a terminal there are colours unless NO_COLOR is set.'),
  ...flagsOf(program),
  '.SH COMMANDS',
  ...commandSections(),
  '.SH EXIT STATUS',
  ...EXIT_MEANINGS.flatMap(([code, meaning]) => item(String(code), meaning)),
  '.SH EXAMPLES',
  ...verbatim(globalExamples.slice(1).map((line) => line.replace(/^ {2}/, ''))),
  '.SH FILES',
  ...item('DIRECTORY/muster.jsonl', 'Journal of a watch with -d DIRECTORY, as JSON Lines.'),
  ...item(
    'DIRECTORY/TIME-PID-NAME/',
    'A set of evidence: files of /proc/PID, and manifest.json, which accounts for each.',
  ),
  ...item(
    '~/.local/state/muster/jobs/',
    'Jobs of muster run -b, and their logs; below $XDG_STATE_HOME where that is set.',
  ),
  '.SH SEE ALSO',
  others.map((name) => name.replace(/^(.*)(\(.*\))$/, '\\fB$1\\fR$2')).join(',\n'),
]
process.stdout.write(`${page.flat().join('\n')}\n`)
