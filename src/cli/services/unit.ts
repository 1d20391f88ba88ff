import { writeFile } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { generateUnit, generateWatchUnit, type UnitSpec } from '../../public/services.js'
import { readSize } from '../control/sizes.js'
import { EXIT } from '../exit_codes.js'
import { FaultList, fail } from '../fault.js'
import { quoted, readNumber } from '../values.js'

/** As commander hands them over. */
export interface RawUnit {
  watch?: string
  restarts?: boolean
  description?: string
  user?: string
  group?: string
  directory?: string
  env?: string[]
  memory?: string
  cpu?: string
  tasks?: string
  restart?: string
  capability?: string[]
  state?: string
  writable?: string[]
  home?: string
  output?: string
  force?: boolean
}

/** What is the watch's own affair. */
const NOT_WITH_WATCH = [
  'description',
  'user',
  'group',
  'directory',
  'env',
  'cpu',
  'tasks',
  'restart',
  'capability',
  'state',
  'home',
] as const

/** `muster unit generate` */
export async function generate(
  program: string | undefined,
  args: readonly string[],
  raw: RawUnit,
): Promise<void> {
  const faults = new FaultList()
  const text =
    raw.watch === undefined ? ofProgram(program, args, raw, faults) : ofWatch(raw.watch, program, raw, faults)
  if (raw.force && raw.output === undefined) {
    faults.add(EXIT.usage, '--force is about a file that is there; give --output FILE too')
  }
  faults.throwIfAny()
  if (raw.output === undefined) process.stdout.write(text())
  else await save(raw.output, text(), raw.force === true)
}

function ofProgram(
  program: string | undefined,
  args: readonly string[],
  raw: RawUnit,
  faults: FaultList,
): () => string {
  if (program === undefined) {
    faults.add(EXIT.usage, 'it is not said which program; give -- PROGRAM [ARGS...], or --watch CONFIG')
  } else if (!isAbsolute(program)) {
    faults.add(
      EXIT.malformed,
      `program ${quoted(program)} is no absolute path; give one such as /usr/bin/node`,
    )
  }
  if (raw.restarts) faults.add(EXIT.usage, '--restarts is about `muster watch`; give --watch CONFIG too')
  const cpu = {
    flag: '--cpu',
    wanted: 'a percentage of one CPU, for example 50',
    min: 1,
    max: 1e6,
    integer: true,
    suffix: '%',
  }
  const tasks = { flag: '--tasks', wanted: 'a whole number from 1', min: 1, max: 4_194_304, integer: true }
  const spec = {
    program,
    args,
    description: raw.description,
    user: raw.user,
    group: raw.group,
    workingDirectory: raw.directory,
    environment: environmentOf(raw.env ?? [], faults),
    memoryMax: sizeOf(raw.memory, faults),
    cpuQuotaPercent: raw.cpu === undefined ? undefined : readNumber(raw.cpu, cpu, faults),
    tasksMax: raw.tasks === undefined ? undefined : readNumber(raw.tasks, tasks, faults),
    restart: raw.restart,
    capabilities: raw.capability,
    stateDirectory: raw.state,
    writablePaths: raw.writable,
    home: raw.home,
  }
  return () => generateUnit(given(spec) as unknown as UnitSpec)
}

function ofWatch(config: string, program: string | undefined, raw: RawUnit, faults: FaultList): () => string {
  if (program !== undefined) {
    faults.add(EXIT.usage, `--watch has its program; leave ${quoted(program)} out`)
  }
  for (const name of NOT_WITH_WATCH) {
    if (raw[name] !== undefined) faults.add(EXIT.usage, `--${name} does not go with --watch; leave it out`)
  }
  const spec = {
    config,
    restarts: raw.restarts,
    memoryMax: sizeOf(raw.memory, faults),
    writablePaths: raw.writable,
  }
  return () => generateWatchUnit(given(spec) as { config: string })
}

/** Without what was not given. */
const given = (spec: object): object =>
  Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined))

function sizeOf(text: string | undefined, faults: FaultList): number | undefined {
  const bytes = text === undefined ? undefined : readSize(text, '--memory', faults)
  return bytes === Number.POSITIVE_INFINITY ? undefined : bytes
}

function environmentOf(words: readonly string[], faults: FaultList): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const word of words) {
    const at = word.indexOf('=')
    if (at > 0) environment[word.slice(0, at)] = word.slice(at + 1)
    else faults.add(EXIT.malformed, `--env ${quoted(word)} is no variable; give NAME=VALUE`)
  }
  return environment
}

async function save(file: string, text: string, force: boolean): Promise<void> {
  try {
    await writeFile(file, text, { flag: force ? 'w' : 'wx', mode: 0o644 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    if (code === 'EEXIST') {
      fail(EXIT.usage, `--output ${quoted(file)} is there already; give --force to replace it`)
    }
    fail(
      code === 'EACCES' || code === 'EPERM' ? EXIT.permission : EXIT.failure,
      `--output ${quoted(file)} cannot be written (${code}); give a file in a directory of yours`,
    )
  }
}
