import type { CapLimits } from '../../public/cgroups.js'
import { IO_CLASSES, type IoPriority, parseProcessors } from '../../public/control.js'
import type { SpawnOptions } from '../../public/spawn.js'
import { limitsOf, type RawLimits } from '../control/cgroup_limits.js'
import { limitChange } from '../control/limit.js'
import { EXIT } from '../exit_codes.js'
import { type FaultList, messageOf } from '../fault.js'
import { didYouMean } from '../suggest.js'
import { quoted, readNumber, readText } from '../values.js'

/** As commander hands them over. */
export interface RawStart extends Omit<RawLimits, 'io'> {
  env?: string[]
  clearEnv?: boolean
  dir?: string
  user?: string
  group?: string
  umask?: string
  limit?: string[]
  nice?: string
  ionice?: string
  affinity?: string
  /** commander's name for what `--no-new-privileges` turns off. */
  newPrivileges?: boolean
  cgroup?: string
  pidFile?: string
}

/** How to start a program. */
export interface Start {
  readonly options: SpawnOptions
  readonly limits: CapLimits
}

const NICE = {
  flag: '--nice',
  wanted: 'a nice value from -20 (first) to 19 (last)',
  min: -20,
  max: 19,
  integer: true,
}

export function readStart(raw: RawStart, faults: FaultList): Start {
  const options: { -readonly [Name in keyof SpawnOptions]: SpawnOptions[Name] } = {}
  const text = (value: string | undefined, flag: string, wanted: string) =>
    value === undefined ? undefined : readText(value, flag, wanted, faults)
  const set = <Name extends keyof SpawnOptions>(name: Name, value: SpawnOptions[Name] | undefined) => {
    if (value !== undefined) options[name] = value
  }
  set('env', readEnv(raw.env ?? [], faults))
  set('extendEnv', !raw.clearEnv)
  set('cwd', text(raw.dir, '--dir', 'a directory'))
  set('user', text(raw.user, '--user', 'a name or uid'))
  set('group', text(raw.group, '--group', 'a name or gid'))
  set('umask', raw.umask === undefined ? undefined : readUmask(raw.umask, faults))
  set('limits', readLimits(raw.limit ?? [], faults))
  set('nice', raw.nice === undefined ? undefined : readNumber(raw.nice, NICE, faults))
  set('ioPriority', raw.ionice === undefined ? undefined : readIonice(raw.ionice, faults))
  set('affinity', raw.affinity === undefined ? undefined : readAffinity(raw.affinity, faults))
  set('noNewPrivileges', raw.newPrivileges === false)
  set('cgroup', text(raw.cgroup, '--cgroup', 'the path of a control group, such as /web'))
  set('pidFile', text(raw.pidFile, '--pid-file', 'a file'))
  return { options, limits: limitsOf(raw, faults) }
}

function readEnv(words: readonly string[], faults: FaultList): Record<string, string> {
  const pairs = words.flatMap((word) => {
    const at = word.indexOf('=')
    if (at > 0) return [[word.slice(0, at), word.slice(at + 1)] as const]
    faults.add(EXIT.malformed, `--env ${quoted(word)} is no variable; give NAME=VALUE`)
    return []
  })
  return Object.fromEntries(pairs)
}

function readLimits(words: readonly string[], faults: FaultList): NonNullable<SpawnOptions['limits']> {
  const changes = words.flatMap((word) => limitChange(word, faults) ?? [])
  const seen = new Set<string>()
  for (const { resource } of changes) {
    if (seen.has(resource)) faults.add(EXIT.usage, `limit ${resource} is given twice; give it once`)
    seen.add(resource)
  }
  return Object.fromEntries(changes.map(({ resource, limit }) => [resource, limit]))
}

function readUmask(word: string, faults: FaultList): number | undefined {
  if (/^0?[0-7]{1,3}$/.test(word)) return Number.parseInt(word, 8)
  return faults.add(
    EXIT.malformed,
    `--umask ${quoted(word)} is no umask; give three octal digits, such as 027`,
  )
}

function readIonice(word: string, faults: FaultList): IoPriority | undefined {
  const [, name = '', digits] = /^([^:]*)(?::(.*))?$/s.exec(word) ?? []
  const ioClass = IO_CLASSES.find((each) => each === name)
  if (ioClass === undefined) {
    const hint = `${didYouMean(name, IO_CLASSES)}; give ${IO_CLASSES.join(', ')}`
    return faults.add(EXIT.malformed, `--ionice ${quoted(word)}: ${quoted(name)} is no I/O class${hint}`)
  }
  if (digits === undefined) return { ioClass }
  if (ioClass === 'none' || ioClass === 'idle') {
    return faults.add(EXIT.usage, `--ionice ${quoted(word)}: the class ${ioClass} has no level; leave it out`)
  }
  const flag = { flag: '--ionice', wanted: 'a level from 0 (first) to 7', min: 0, max: 7, integer: true }
  const level = readNumber(digits, flag, faults)
  return level === undefined ? undefined : { ioClass, level }
}

function readAffinity(word: string, faults: FaultList): readonly number[] | undefined {
  try {
    return parseProcessors(word)
  } catch (error) {
    return faults.add(EXIT.malformed, `--affinity ${messageOf(error)}`)
  }
}
