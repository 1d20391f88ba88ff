import { Argument, Command } from 'commander'
import { type EngineRequest, parseDuration } from '../../index.js'
import { EXIT } from '../exit_codes.js'
import { type FaultList, messageOf } from '../fault.js'
import { valueOption } from '../value_option.js'
import { PID_MAX, quoted, readNumber, readText } from '../values.js'
import { ask, byOption, noteOption, type RawAsk, waitOption } from './ask.js'
import { directoryOption, journalOption } from './place.js'
import { SEVERITIES, wordOf } from './words.js'

const EXIT_HELP = `
Exit codes: 0 done, or left for the next start; 2, 3, 4 bad input; 5 no such alert or silence; 6 not permitted;
7 no such journal. \`muster --help\` lists all.`

function asking(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .addOption(directoryOption())
    .addOption(journalOption())
    .addOption(byOption())
    .addOption(waitOption())
    .option('-j, --json', 'the answer as JSON')
}

/** `muster ack ID` */
export function ackCommand(): Command {
  return asking('ack', 'acknowledge an alert: notifiers are told no more until it is resolved')
    .addArgument(new Argument('<id>', 'of the alert; `muster alerts --state firing` lists them'))
    .addOption(noteOption())
    .addHelpText(
      'after',
      `
  The alert goes on to fire, and is listed as before.

Examples:
  muster ack 5f2c9a01-3 -d ./evidence
  muster ack 5f2c9a01-3 -d ./evidence --note 'the nightly import; ends at six'
${EXIT_HELP}`,
    )
    .action((id: string, raw: RawAsk) =>
      ask(raw, (by, note, faults) => {
        const alertId = readText(id, 'ID', 'the id of an alert', faults)
        return alertId === undefined ? undefined : { type: 'acknowledge', alertId, by, ...noted(note) }
      }),
    )
}

interface RawSilence extends RawAsk {
  rule?: string
  name?: string
  pid?: string
  user?: string
  group?: string
  severity?: string
  for?: string
}

/** `muster silence --rule ... --for 2h` */
export function silenceCommand(): Command {
  return asking('silence', 'for a time, tell no notifier of the alerts that fit')
    .addOption(valueOption('--rule <NAME>', 'alerts of this rule'))
    .addOption(valueOption('--name <NAME>', 'of processes of this name, or /pattern/'))
    .addOption(valueOption('-p, --pid <PID>', 'of this process'))
    .addOption(valueOption('--user <USER>', "of this user's processes"))
    .addOption(valueOption('--group <KEY>', 'of this group, for example unit:nginx.service'))
    .addOption(valueOption('--severity <SEVERITY>', 'of this severity', SEVERITIES))
    .addOption(valueOption('--for <DURATION>', 'how long, for example 30m or 2h; at most 366 days'))
    .addOption(noteOption())
    .addHelpText(
      'after',
      `
  An alert is silenced when it fits everything that is given. It fires, is listed and written down, and actions are
  taken as ever. Of an alert that outlasts the silence notifiers are told then. A silence outlasts the watch.

Examples:
  muster silence --rule 'leaking workers' --for 2h -d ./evidence --note 'known; fix is on its way'
  muster silence --name '/^import/' --severity warning --for 8h --journal /var/lib/muster/muster.jsonl
${EXIT_HELP}`,
    )
    .action((raw: RawSilence) =>
      ask(raw, (by, note, faults) => {
        const match = matchOf(raw, faults)
        const ms = durationOf(raw.for, faults)
        return ms === undefined
          ? undefined
          : { type: 'silence', match, untilMs: Date.now() + ms, by, ...noted(note) }
      }),
    )
}

/** `muster unsilence ID` */
export function unsilenceCommand(): Command {
  return asking('unsilence', 'end a silence before its time')
    .addArgument(new Argument('<id>', 'of the silence; `muster alerts` lists those in force'))
    .addHelpText(
      'after',
      `
Examples:
  muster unsilence mf3k2a1b-0c9d8e7f -d ./evidence
${EXIT_HELP}`,
    )
    .action((id: string, raw: RawAsk) =>
      ask(raw, (by, _, faults) => {
        const silenceId = readText(id, 'ID', 'the id of a silence', faults)
        return silenceId === undefined ? undefined : { type: 'unsilence', silenceId, by }
      }),
    )
}

type Match = Extract<EngineRequest, { type: 'silence' }>['match']

function matchOf(raw: RawSilence, faults: FaultList): Match {
  const text = (value: string | undefined, flag: string, wanted: string) =>
    value === undefined ? undefined : readText(value, flag, wanted, faults)
  const pidFlag = {
    flag: '-p/--pid',
    wanted: `a PID from 1 to ${PID_MAX}`,
    min: 1,
    max: PID_MAX,
    integer: true,
  }
  const found = {
    rule: text(raw.rule, '--rule', 'the name of a rule'),
    name: text(raw.name, '--name', 'a process name, or a pattern like "/^worker/"'),
    pid: raw.pid === undefined ? undefined : readNumber(raw.pid, pidFlag, faults),
    user: text(raw.user, '--user', 'a user name or uid'),
    group: text(raw.group, '--group', 'a group like unit:nginx.service'),
    severity: wordOf(raw.severity, '--severity', SEVERITIES, faults),
  }
  const given = [raw.rule, raw.name, raw.pid, raw.user, raw.group, raw.severity]
  if (given.every((value) => value === undefined)) {
    faults.add(
      EXIT.usage,
      'what is to be silenced? give --rule, --name, --pid, --user, --group or --severity',
    )
  }
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined))
}

function durationOf(raw: string | undefined, faults: FaultList): number | undefined {
  if (raw === undefined) return faults.add(EXIT.usage, 'for how long? give --for, for example --for 2h')
  try {
    const ms = parseDuration(raw)
    if (ms > 0) return ms
    return faults.add(EXIT.outOfRange, `--for ${quoted(raw)} is out of range; give more than 0`)
  } catch (error) {
    return faults.add(EXIT.malformed, `--for ${messageOf(error)}`)
  }
}

const noted = (note: string | undefined) => (note === undefined ? {} : { note })
