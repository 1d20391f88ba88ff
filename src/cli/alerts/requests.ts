import type { EngineRequest } from '../../public/alerts.js'
import { parseDuration } from '../../public/language.js'
import { EXIT } from '../exit_codes.js'
import { type FaultList, messageOf } from '../fault.js'
import { PID_MAX, quoted, readNumber, readText } from '../values.js'
import { ask, type RawAsk } from './ask.js'
import { SEVERITIES, wordOf } from './words.js'

/** As commander hands them over. */
export interface RawSilence extends RawAsk {
  rule?: string
  name?: string
  pid?: string
  user?: string
  group?: string
  severity?: string
  for?: string
}

/** `muster ack ID` */
export function acknowledge(id: string, raw: RawAsk): Promise<void> {
  return ask(raw, (by, note, faults) => {
    const alertId = readText(id, 'ID', 'the id of an alert', faults)
    return alertId === undefined ? undefined : { type: 'acknowledge', alertId, by, ...noted(note) }
  })
}

/** `muster silence --rule ... --for 2h` */
export function silence(raw: RawSilence): Promise<void> {
  return ask(raw, (by, note, faults) => {
    const match = matchOf(raw, faults)
    const ms = durationOf(raw.for, faults)
    return ms === undefined
      ? undefined
      : { type: 'silence', match, untilMs: Date.now() + ms, by, ...noted(note) }
  })
}

/** `muster unsilence ID` */
export function unsilence(id: string, raw: RawAsk): Promise<void> {
  return ask(raw, (by, _, faults) => {
    const silenceId = readText(id, 'ID', 'the id of a silence', faults)
    return silenceId === undefined ? undefined : { type: 'unsilence', silenceId, by }
  })
}

/** `muster resume RULE` */
export function resume(name: string, raw: RawAsk): Promise<void> {
  return ask(raw, (by, _, faults) => {
    const rule = readText(name, 'RULE', 'the name of a rule', faults)
    return rule === undefined ? undefined : { type: 'resume', rule, by }
  })
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
