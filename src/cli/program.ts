import { createRequire } from 'node:module'
import { Command } from 'commander'
import { EXIT, exitCodeHelp } from './exit_codes.js'
import { fail } from './fault.js'
import { noCommand, wholeName } from './help_words.js'
import { quoted } from './values.js'

/** What the file of a command exports; its action and what that needs are imported when it is called. */
interface CommandModule {
  command(): Command
}

/** Columns of help; wider lines are hard to read, also where there is room. */
export const HELP_WIDTH = Math.min(80, process.stdout.columns || 80)

/** Every command by its name, below the heading that `--help` lists it under. */
const COMMANDS: Readonly<Record<string, Readonly<Record<string, () => Promise<CommandModule>>>>> = {
  'See what runs:': {
    ps: () => import('./ps/command.js'),
    top: () => import('./top/top_command.js'),
    tree: () => import('./system/tree_command.js'),
    states: () => import('./system/states_command.js'),
    zombies: () => import('./system/zombies_command.js'),
    system: () => import('./system/system_command.js'),
    ipc: () => import('./system/ipc_command.js'),
    events: () => import('./events/command.js'),
  },
  'Look into processes:': {
    info: () => import('./inspect/info_command.js'),
    monitor: () => import('./inspect/monitor_command.js'),
    track: () => import('./inspect/track_command.js'),
    map: () => import('./inspect/map_command.js'),
    files: () => import('./inspect/files_command.js'),
    net: () => import('./inspect/net_command.js'),
    threads: () => import('./inspect/threads_command.js'),
    ns: () => import('./inspect/ns_command.js'),
    limits: () => import('./inspect/limits_command.js'),
    find: () => import('./inspect/find_command.js'),
    who: () => import('./inspect/who_command.js'),
  },
  'Control processes:': {
    signal: () => import('./control/signal_command.js'),
    stop: () => import('./control/stop_command.js'),
    nice: () => import('./control/nice_command.js'),
    ionice: () => import('./control/ionice_command.js'),
    sched: () => import('./control/sched_command.js'),
    affinity: () => import('./control/affinity_command.js'),
    limit: () => import('./control/limit_command.js'),
    oom: () => import('./control/oom_command.js'),
    cap: () => import('./control/cap_command.js'),
    uncap: () => import('./control/uncap_command.js'),
    cgroup: () => import('./control/cgroup_command.js'),
  },
  'Start processes:': {
    run: () => import('./spawn/run_command.js'),
    jobs: () => import('./spawn/jobs_command.js'),
  },
  'Watch and act:': {
    watch: () => import('./watch/command.js'),
    rules: () => import('./rules/command.js'),
  },
  'Alerts and reasons:': {
    alerts: () => import('./alerts/command.js'),
    ack: () => import('./alerts/ack_command.js'),
    silence: () => import('./alerts/silence_command.js'),
    unsilence: () => import('./alerts/unsilence_command.js'),
    resume: () => import('./alerts/resume_command.js'),
    why: () => import('./why/command.js'),
  },
  'Services:': {
    service: () => import('./services/service_command.js'),
    unit: () => import('./services/unit_command.js'),
  },
  'Set up:': {
    doctor: () => import('./doctor/command.js'),
    completion: () => import('./completion/command.js'),
  },
}

/**
 * The command line of `muster`; also what the completion scripts are made from.
 * @param words where a command is the first of them, only that one is loaded
 */
export async function createProgram(words: readonly string[] = []): Promise<Command> {
  const called = words.find((word) => !word.startsWith('-'))
  const isKnown = Object.values(COMMANDS).some(
    (group) => called !== undefined && Object.hasOwn(group, called),
  )
  const program = new Command('muster')
    .description('Process engine for Linux: lists, watches, keeps evidence, restarts.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .option('--debug', 'on an unexpected failure print the stack too')
    .showSuggestionAfterError(true)
    // Of the others a flag of muster itself, as --debug, may stand behind the command's name.
    .enablePositionalOptions(called === 'run' || !isKnown)
    .configureHelp({ helpWidth: HELP_WIDTH, showGlobalOptions: false, sortSubcommands: false })
    .addHelpText('after', () => `\n${EXAMPLES}\n\n${exitCodeHelp()}`)
  for (const [heading, group] of Object.entries(COMMANDS)) {
    program.commandsGroup(heading)
    const wanted = Object.entries(group).filter(([name]) => !isKnown || name === called)
    for (const { command } of await Promise.all(wanted.map(([, load]) => load()))) add(command(), program)
  }
  return program.helpCommand('help [command]', 'print the help of a command')
}

function add(command: Command, program: Command): void {
  program.addCommand(command.copyInheritedSettings(program))
  for (const inner of command.commands) inner.copyInheritedSettings(command)
  for (const each of [command, ...command.commands]) {
    if (each.registeredArguments.length > 0 || each.commands.length > 0) continue
    // commander counts what is too much; a person wants to know which word it was.
    each.allowExcessArguments(true).hook('preAction', () => refuseWords(each))
  }
}

function refuseWords(command: Command): void {
  const [word] = command.args
  if (word === undefined) return
  const outer = command.parent!
  if (outer.parent !== null && outer.args[0] !== command.name()) {
    // The outer one's default, which nobody has named.
    fail(EXIT.usage, noCommand(outer, word))
  }
  const whole = wholeName(command)
  const takes = (flag: string) => command.options.some(({ long }) => long === flag)
  const isNumber = /^\d+$/.test(word)
  const hint =
    isNumber && takes('--pid')
      ? 'a process is given with -p PID'
      : !isNumber && takes('--name')
        ? `a name is given with --name ${quoted(word)}`
        : `\`${whole} --help\` lists them`
  fail(EXIT.usage, `${quoted(word)} is no flag of ${whole}; ${hint}`)
}

const EXAMPLES = `Examples:
  muster ps --top memory              the processes that use most memory
  muster ps --user www-data --min-cpu 5
                                      what a user's processes are busy with
  muster top                          all of them on the whole screen: sort, act
  muster tree --pids                  who started whom
  muster system                       the host as a whole; states, zombies, ipc
  muster info 1234                    everything about one process
  muster monitor 1234                 one process live, and how it ended
  muster who :80                      who has a port, a file, a library
  muster find --deleted               who holds deleted files open
  muster stop --tree 1234             end a process and its descendants
  muster cap 1234 --memory 500M       put a running process under limits
  muster watch -p 1234 -t 80 -i 5 -d ./evidence -r
                                      over 80 % of memory keep evidence, restart
  muster watch --name node --rule 'rss > 500MiB for 30s'
  muster run --memory 500M --usage -- make
                                      a program under limits, and what it used
  muster run -b --name web -- node main.js
                                      a job; muster jobs
  muster events --type exit --failed  what fails as it happens, who killed what
  muster alerts -d ./evidence         what fires; muster ack, muster silence
  muster why 1234 -d ./evidence       why a process was restarted
  muster rules check muster.yaml      faults of a file of rules, with lines
  muster service status nginx         a unit of the service manager
  muster unit generate -- /usr/bin/node /srv/web/main.js
                                      a hardened unit file for a program
  muster doctor                       what works here, how to grant the rest
  muster watch --help                 all flags, permissions, more examples`

function packageVersion(): string {
  // By the package's own name, so that it holds in the bundle too.
  const manifest: unknown = createRequire(import.meta.url)('procmuster/package.json')
  return (manifest as { version: string }).version
}
