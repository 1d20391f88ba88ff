import { basename } from 'node:path'
import type { CgroupUsePart, Controller } from '../../public/cgroups.js'
import { inspectProcess, type ProcessInfo, stuckAdvice } from '../../public/inspect.js'
import { wordedLimits, wordedUse } from '../control/cgroup.js'
import { wordedScheduling } from '../control/sched.js'
import { EXIT } from '../exit_codes.js'
import { FaultList } from '../fault.js'
import { clockTime, localDate, shortAge, shortBytes, shortTime } from '../quantities.js'
import { escapeForTerminal, widthOf } from '../terminal.js'
import { quoted } from '../values.js'
import { hanging } from '../wrap.js'
import { showFiles } from './info_files.js'
import { printJson } from './json.js'
import { mapToJson } from './map.js'
import { stateInWords } from './states.js'
import { ageSeconds, lookInto, readPid } from './target.js'

/** As commander hands them over. */
export interface RawInfo {
  environment?: boolean
  file?: string[]
  json?: boolean
}

/** `muster info` with what the user gave. */
export async function tellInfo(word: string | undefined, raw: RawInfo): Promise<void> {
  const faults = new FaultList()
  const pid = readPid(word, faults)
  const names = raw.file?.flatMap((name) => readFileName(name, faults) ?? [])
  if (names !== undefined && raw.environment === true)
    faults.add(EXIT.usage, '--environment goes with all that is told; the file of it is --file environ')
  faults.throwIfAny()
  if (names !== undefined) return lookInto(pid!, (target) => showFiles(target, names, raw.json === true))
  const environment = raw.environment === true
  const info = await lookInto(pid!, (target) => inspectProcess(target, { environment }))
  if (raw.json === true) return printJson({ ...info, memoryMap: info.memoryMap && mapToJson(info.memoryMap) })
  process.stdout.write(`${infoLines(info, widthOf(process.stdout)).join('\n')}\n`)
}

function readFileName(name: string, faults: FaultList): string | undefined {
  if (/^\w+(\/\w+)*$/.test(name)) return name
  const wanted = 'a name below /proc/PID, such as status or task/42/stat'
  return faults.add(EXIT.malformed, `--file ${quoted(name)}: it is no file of a process; give ${wanted}`)
}

/** What there is to tell of a process, each with its label, and in several lines where one of `width` cells is too short. */
export function infoLines(info: ProcessInfo, width?: number): string[] {
  const lines = [...identityOf(info), ...usageOf(info), ...openOf(info), ...boundsOf(info), ...endOf(info)]
  const told = lines.filter((line): line is [string, string] => line[1] !== undefined)
  const labelWidth = Math.max(...told.map(([label]) => label.length))
  return told.flatMap(([label, value]) =>
    hanging(`${label.padEnd(labelWidth)}  `, escapeForTerminal(value), width),
  )
}

type Line = readonly [label: string, text: string | undefined]

function identityOf(info: ProcessInfo): Line[] {
  const { identity, credentials, cgroup } = info
  const seconds = ageSeconds(identity)
  const startedAtMs = Date.now() - seconds * 1000
  const ids = (numbers: readonly number[]) => (new Set(numbers).size === 1 ? numbers[0] : numbers.join(' '))
  const isNested = (info.namespacePids?.length ?? 0) > 1
  return [
    ['pid', isNested ? `${identity.pid} (${info.namespacePids!.join(' > ')})` : String(identity.pid)],
    ['name', info.isKernelThread ? `[${info.name}]` : info.name],
    ['state', stateInWords(info.state) + (info.isHeadless ? '; but other threads of it live on' : '')],
    ['command line', info.args?.map(quoteIfNeeded).join(' ')],
    ['program', info.exe],
    ['directory', info.cwd],
    ['root', info.root === '/' ? undefined : info.root],
    ['user', credentials && `${info.user} (uid ${ids(credentials.uids)}, gid ${ids(credentials.gids)})`],
    ['groups', credentials?.groups.join(' ') || undefined],
    ['parent', `${info.ppid} (group ${info.processGroup}, session ${info.session})`],
    ['terminal', info.terminal],
    ['started', `${localDate(startedAtMs)} ${clockTime(startedAtMs).slice(0, 8)}, ${shortAge(seconds)} ago`],
    ['cgroup', cgroup?.path],
    ['unit', cgroup?.unit],
    ['container', cgroup?.container],
    ['seccomp', credentials?.seccompMode],
    [
      'capabilities',
      credentials && credentials.effective !== 0n ? `0x${credentials.effective.toString(16)}` : undefined,
    ],
  ]
}

/** As a shell would have to be given it, roughly: an argument with blanks is told from two. */
const quoteIfNeeded = (argument: string): string => (/^[^\s'"]+$/.test(argument) ? argument : `'${argument}'`)

function usageOf({ usage, ...info }: ProcessInfo): Line[] {
  const { memory, io } = usage
  const seconds = (ms: number) => shortTime(ms * 1e6)
  return [
    ['cpu', `user ${seconds(usage.userMs)}, system ${seconds(usage.systemMs)}; nice ${info.nice}`],
    [
      'memory',
      memory &&
        `rss ${shortBytes(memory.rssBytes)} (anonymous ${shortBytes(memory.rssAnonBytes)}, file ${shortBytes(memory.rssFileBytes)}, shared ${shortBytes(memory.rssShmemBytes)}), peak ${shortBytes(memory.peakRssBytes)}, swap ${shortBytes(memory.swapBytes)}, vsz ${shortBytes(memory.vszBytes)}`,
    ],
    [
      'heap, stack',
      info.memoryMap === undefined || info.memoryMap.size === 0
        ? undefined
        : `${shortBytes(info.memoryMap.totals.heap.sizeBytes)}, ${shortBytes(info.memoryMap.totals.stack.sizeBytes)}; ${info.memoryMap.size} mappings`,
    ],
    ['faults', `${usage.minorFaults} minor, ${usage.majorFaults} major`],
    [
      'switches',
      usage.voluntarySwitches === undefined
        ? undefined
        : `${usage.voluntarySwitches} voluntary, ${usage.involuntarySwitches} forced`,
    ],
    [
      'io',
      io &&
        `read ${shortBytes(io.readCallBytes)} in ${io.readCalls} calls (${shortBytes(io.readBytes)} from storage), written ${shortBytes(io.writeCallBytes)} in ${io.writeCalls} calls (${shortBytes(io.writeBytes)} to storage)`,
    ],
    [
      'oom score',
      info.oomScore === undefined
        ? undefined
        : `${info.oomScore}, adjustment ${info.oomScoreAdjustment ?? '-'}`,
    ],
    [
      'waits in',
      info.wait?.waitChannel &&
        info.wait.waitChannel +
          (info.wait.systemCall === undefined ? '' : ` (system call ${info.wait.systemCall})`),
    ],
  ]
}

function openOf(info: ProcessInfo): Line[] {
  const { limits, files, connections, threads, libraries } = info
  return [
    [
      'threads',
      threads === undefined
        ? String(info.threadCount)
        : `${threads.length}: ${counted(threads.map(({ name }) => name))}`,
    ],
    [
      'open files',
      files &&
        `${files.length} of ${limits?.nofile.soft ?? '-'}${files.length === 0 ? '' : `: ${counted(files.map(({ kind }) => kind))}`}`,
    ],
    [
      'sockets',
      connections?.length
        ? counted(connections.map(({ protocol, state }) => `${protocol} ${state}`))
        : undefined,
    ],
    [
      'libraries',
      libraries?.length
        ? `${libraries.length}: ${counted(libraries.map(({ path, isDeleted }) => basename(path) + (isDeleted ? ' (deleted)' : '')))}`
        : undefined,
    ],
    ['namespaces', info.namespaces?.flatMap(({ id }) => id ?? []).join(' ') || undefined],
  ]
}

/** Who else it has to share with, and how much it may have. */
function boundsOf({ scheduling, cgroups = [] }: ProcessInfo): Line[] {
  return [
    ['scheduling', scheduling && wordedScheduling(scheduling)],
    ...cgroups.flatMap(({ path, controllers, limits, use }): Line[] => {
      const words = (list: readonly string[]) =>
        `${controllers.join(' ')} of ${path}: ${list.join(', ') || '-'}`
      return [
        ['cgroup limits', limits && words(wordedLimits(limits))],
        ['cgroup use', use && words(wordedUse(use))],
      ]
    }),
  ]
}

const SHOWN = 12

/** `3 file, pipe`: the commonest first. */
function counted(words: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  const sorted = [...counts].sort(([, a], [, b]) => b - a)
  const shown = sorted.slice(0, SHOWN).map(([word, count]) => (count === 1 ? word : `${count} ${word}`))
  return [...shown, ...(sorted.length > SHOWN ? [`${sorted.length - SHOWN} more`] : [])].join(', ')
}

function endOf(info: ProcessInfo): Line[] {
  const { state, ppid, wait, environment } = info
  const advice =
    state === 'D' && wait !== undefined
      ? stuckAdvice(wait)
      : state === 'Z'
        ? [`look at its parent: \`muster info ${ppid}\``]
        : []
  return [
    ...Object.entries(environment ?? {}).map(([name, value]): Line => ['environment', `${name}=${value}`]),
    ...advice.map((text): Line => ['advice', text]),
    ...reasonsOf(info).map((reason): Line => ['not readable', reason]),
  ]
}

const CONTROLLER_OF: Readonly<Record<CgroupUsePart, Controller>> = {
  memoryBytes: 'memory',
  memoryPeakBytes: 'memory',
  swapBytes: 'memory',
  cpuTimeNs: 'cpu',
  throttledPeriods: 'cpu',
  throttledTimeNs: 'cpu',
  pids: 'pids',
  io: 'io',
}

function reasonsOf({ missing, scheduling, cgroups = [] }: ProcessInfo): string[] {
  const ofScheduling = Object.entries(scheduling?.missing ?? {}).map(
    ([part, reason]) => `scheduling, ${part}: ${reason}`,
  )
  const ofGroups = cgroups.flatMap(({ path, controllers, use, reason }) => {
    // Of the root the kernel has no such files, and of other controllers this group has none: that is no loss.
    const parts = path === '/' ? [] : (Object.entries(use?.missing ?? {}) as [CgroupUsePart, string][])
    return reason ?? parts.flatMap(([part, why]) => (controllers.includes(CONTROLLER_OF[part]) ? why : []))
  })
  return [...missing.map(({ reason }) => reason), ...ofScheduling, ...new Set(ofGroups)]
}
