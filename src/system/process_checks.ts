import { hasCapability } from './capabilities.js'
import { byCapability, type Judged, waysTo } from './capability_check.js'
import type { Check } from './check.js'
import type { HostReadings } from './host_readings.js'
import { isKernelAtLeast } from './kernel_support.js'

/**
 * What the readings alone decide: seeing other processes, and acting on them.
 * @param readsFiles whether samples are taken by reading `/proc`
 */
export function checkProcesses(readings: HostReadings, { readsFiles }: { readsFiles: boolean }): Check[] {
  return CHECKS.map((check) => ({ lacking: [], ...check(readings, readsFiles) }))
}

const CHECKS: readonly ((readings: HostReadings, readsFiles: boolean) => Judged)[] = [
  allProcesses,
  (readings) =>
    byCapability(readings, {
      id: 'files-of-others',
      title: "other users' files in /proc",
      area: 'observe',
      needs: ['CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH'],
      gain: "evidence, programs and I/O counters of other users' processes",
      without: "only this user's processes are read fully; with the bpf source the I/O counters of all are",
    }),
  kernelStacks,
  descriptors,
  pidNumbers,
  ({ pidfd, hasOwnPids }) => ({
    id: 'pidfd',
    title: 'pidfd',
    area: 'act',
    gain: 'signals, limits and priorities reach the process that was meant, never another one with its pid',
    ...(pidfd.works
      ? { state: 'ok', found: 'opens', instead: undefined, remedy: undefined }
      : {
          state: 'missing',
          found: hasOwnPids ? `cannot be opened (${pidfd.refusal})` : FOREIGN_PIDS,
          instead: 'no process is acted on',
          remedy: !hasOwnPids
            ? 'mount proc anew at /proc'
            : 'run Linux 5.4 or later, in a container without a seccomp profile that forbids pidfd_open',
        }),
  }),
  ({ pidfd, bpf }) => ({
    id: 'pidfs-inode',
    title: 'pidfs inode',
    area: 'act',
    gain: 'an identity that is unique until reboot',
    ...(pidfd.hasInode
      ? { state: 'ok', found: 'pidfds have one', instead: undefined, remedy: undefined }
      : {
          state: 'missing',
          found: isKernelAtLeast(bpf.kernelRelease, '6.9')
            ? 'pidfds have none'
            : `Linux ${bpf.kernelRelease} has none`,
          instead: 'pid and start time, exact to 10 ms; a process is not acted on before it is that old',
          remedy: 'run Linux 6.9 or later',
        }),
  }),
  (readings) =>
    byCapability(readings, {
      id: 'signal-others',
      title: "signals to other users' processes",
      area: 'act',
      needs: ['CAP_KILL'],
      gain: "ending and signalling other users' processes",
      without: "only this user's processes can be signalled",
    }),
  raisePriority,
  (readings) =>
    byCapability(readings, {
      id: 'raise-limits',
      title: 'raising limits',
      area: 'act',
      needs: ['CAP_SYS_RESOURCE'],
      gain: "raising hard limits, and setting those of other users' processes",
      without: "limits of this user's processes can be lowered, and soft ones raised up to the hard ones",
    }),
  restartOthers,
  keepStdio,
  ({ cgroups }) => {
    const version1 = cgroups.v1.length > 0 ? `version 1 (${cgroups.v1.join(', ')})` : undefined
    const found = [...(cgroups.v2 ? ['version 2'] : []), ...(version1 ? [version1] : [])].join(' and ')
    return {
      id: 'cgroups',
      title: 'control groups',
      area: 'act',
      gain: 'a restarted process is put where the old one was',
      ...(found
        ? { state: 'ok', found, instead: undefined, remedy: undefined }
        : {
            state: 'missing',
            found: 'none is mounted',
            instead: 'a restarted process stays in the control group of this one',
            remedy: 'mount cgroup2 at /sys/fs/cgroup',
          }),
    }
  },
]

/** A pid there is another process's than the one that a signal would reach. */
const FOREIGN_PIDS = '/proc is not that of this pid namespace'

function allProcesses({ bpf, proc, hasOwnPids, status, groups, processes }: HostReadings): Judged {
  const check = {
    id: 'all-processes',
    title: 'all processes',
    area: 'observe',
    gain: 'every process of the host is in the table',
  } as const
  if (!proc.mounted || status === undefined) {
    return {
      ...check,
      state: 'missing',
      found: '/proc is not mounted, or not as proc',
      instead: 'nothing is sampled',
      remedy: 'mount proc at /proc',
    }
  }
  const sees = hasCapability(status.effective, 'CAP_SYS_PTRACE')
  const inGroup = proc.gid !== undefined && [...groups, ...status.gids].includes(proc.gid)
  const hidden = proc.hidepid !== 0 && !sees && (proc.hidepid === 4 || !inGroup)
  if (hidden) {
    return {
      ...check,
      state: 'limited',
      found: `/proc is mounted with hidepid=${proc.hidepid}`,
      instead: "only this user's processes are seen",
      remedy: `${waysTo(['CAP_SYS_PTRACE'], { bpf })}; or join the group that the mount names (gid=)`,
      lacking: ['CAP_SYS_PTRACE'],
    }
  }
  if (!hasOwnPids) {
    return {
      ...check,
      state: 'limited',
      found: FOREIGN_PIDS,
      instead: 'the processes of that one are listed; none is looked into, searched or acted on',
      remedy: 'mount proc anew at /proc',
    }
  }
  if (bpf.pidNamespace !== 'host') {
    return {
      ...check,
      state: 'limited',
      found: `${processes} processes of this pid namespace`,
      instead: 'processes outside of the namespace are not seen',
      remedy: "run it in the host's pid namespace (docker run --pid=host)",
    }
  }
  return { ...check, state: 'ok', found: `${processes} processes`, instead: undefined, remedy: undefined }
}

function kernelStacks({ status, bpf }: HostReadings): Judged {
  const has = hasCapability(status?.effective ?? 0n, 'CAP_SYS_ADMIN') && bpf.userNamespace === 'host'
  const check = {
    id: 'kernel-stacks',
    title: 'kernel stacks',
    area: 'observe',
    gain: 'evidence says where in the kernel a process hangs',
  } as const
  return has
    ? { ...check, state: 'ok', found: 'CAP_SYS_ADMIN', instead: undefined, remedy: undefined }
    : {
        ...check,
        state: 'limited',
        found: 'no CAP_SYS_ADMIN over the host',
        instead: 'evidence has wchan, the one function it sleeps in',
        remedy: 'run it as root; CAP_SYS_ADMIN gives nearly as much, so it is not advised for this alone',
      }
}

/** Kept open for the procfs source: stat and statm of each process, in two tables of their own. */
function descriptors({ descriptorLimit, processes }: HostReadings, readsFiles: boolean): Judged {
  const needed = processes + 128
  const check = {
    id: 'descriptors',
    title: 'descriptors',
    area: 'observe',
    gain: 'the procfs source keeps files open, which halves the cost of reading them',
  } as const
  const limit = Number.isFinite(descriptorLimit) ? `limit ${descriptorLimit}` : 'no limit'
  const found = `${limit}, for ${processes} processes${readsFiles ? '' : '; the bpf source needs none'}`
  return descriptorLimit >= needed || !readsFiles
    ? { ...check, state: 'ok', found, instead: undefined, remedy: undefined }
    : {
        ...check,
        state: 'limited',
        found,
        instead: 'files of the processes beyond it are opened at every sample',
        remedy: `ulimit -n ${2 ** Math.ceil(Math.log2(needed))}, or LimitNOFILE= of its unit`,
      }
}

const NEARLY_FULL = 0.9

function pidNumbers({ pidMax, threadsMax, tasks }: HostReadings): Judged {
  const check = {
    id: 'pid-numbers',
    title: 'pids',
    area: 'act',
    gain: 'new processes and threads can be made',
  } as const
  const limit = Math.min(pidMax ?? Number.POSITIVE_INFINITY, threadsMax ?? Number.POSITIVE_INFINITY)
  const name = limit === pidMax ? 'pid_max' : 'threads-max'
  if (tasks === undefined || !Number.isFinite(limit)) {
    return { ...check, state: 'ok', found: 'not to be read here', instead: undefined, remedy: undefined }
  }
  const found = `${tasks} tasks, ${name} ${limit}`
  return tasks < limit * NEARLY_FULL
    ? { ...check, state: 'ok', found, instead: undefined, remedy: undefined }
    : {
        ...check,
        state: 'limited',
        found,
        instead: 'forks of the whole host are about to fail, restarts among them',
        remedy: `sysctl kernel.${name}=${name === 'pid_max' ? 4_194_304 : limit * 2}`,
      }
}

function raisePriority(readings: HostReadings): Judged {
  const judged = byCapability(readings, {
    id: 'raise-priority',
    title: 'raising priorities',
    area: 'act',
    needs: ['CAP_SYS_NICE'],
    gain: "nice values below those that processes have, real-time policies, other users' processes",
    without: "nice values of this user's processes can be raised only, and not lowered again",
  })
  if (judged.state === 'ok' || readings.lowestNice >= 20) return judged
  return {
    ...judged,
    found: `${judged.found}; RLIMIT_NICE allows nice ${readings.lowestNice}`,
    instead: `this user's processes can have nice values down to ${readings.lowestNice}`,
  }
}

function restartOthers(readings: HostReadings): Judged {
  const check = {
    id: 'restart-others',
    title: "restarting other users' processes",
    area: 'act',
    gain: 'a new process under the user and groups of the old one, with no privilege that it had not',
  } as const
  const judged = byCapability(readings, {
    ...check,
    needs: ['CAP_SETUID', 'CAP_SETGID', 'CAP_KILL', 'CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH'],
    without: "only this user's processes can be restarted",
  })
  if (judged.state !== 'ok') return judged
  return byCapability(readings, {
    ...check,
    needs: ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP', 'CAP_KILL', 'CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH'],
    without: 'processes whose bounding set is smaller than that of this one are not restarted',
  })
}

function keepStdio({ status, ptraceScope, bpf }: HostReadings): Judged {
  const check = {
    id: 'keep-stdio',
    title: "a process's own stdin, stdout, stderr",
    area: 'act',
    gain: 'a restarted process has the very pipes and files that the old one had',
  } as const
  const mayTrace = hasCapability(status?.effective ?? 0n, 'CAP_SYS_PTRACE')
  const scope = ptraceScope ?? 0
  const found = ptraceScope === undefined ? 'no Yama' : `kernel.yama.ptrace_scope ${ptraceScope}`
  if (!isKernelAtLeast(bpf.kernelRelease, '5.6')) {
    const remedy = 'run Linux 5.6 or later'
    return { ...check, state: 'limited', found: `Linux ${bpf.kernelRelease}`, instead: REOPENED, remedy }
  }
  // ptrace(2): 1 leaves only descendants, 2 needs the capability, 3 forbids it to all.
  if (scope < 3 && (scope === 0 || mayTrace)) {
    return { ...check, state: 'ok', found, instead: undefined, remedy: undefined }
  }
  return {
    ...check,
    state: 'limited',
    found,
    instead: REOPENED,
    remedy: scope >= 3 ? 'sysctl kernel.yama.ptrace_scope=2 at boot' : waysTo(['CAP_SYS_PTRACE'], { bpf }),
    lacking: scope >= 3 ? [] : ['CAP_SYS_PTRACE'],
  }
}

const REOPENED = 'files are opened again by path; pipes and sockets are lost'
