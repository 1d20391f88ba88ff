import {
  ambientLine,
  CAPABILITY_BIT,
  type Capability,
  hasCapability,
  lackingCapabilities,
  setcapCommand,
} from './capabilities.js'
import type { Check, CheckState } from './check.js'
import { type HostReadings, readHost } from './host_readings.js'
import { checkProcesses } from './process_checks.js'
import { checkBpfSource, checkLifecycleEvents } from './source_checks.js'

/** What this package can and cannot do here, and how to get the rest. */
export interface Diagnosis {
  /** The worst state of all checks. */
  readonly state: CheckState
  readonly host: {
    /** uname(2)'s release. */
    readonly kernelRelease: string
    readonly architecture: string
    /** Whether the kernel measures pressure stalls (PSI). */
    readonly hasPressure: boolean
  }
  readonly process: {
    /** Effective uid; undefined where `/proc` has no entry for this process. */
    readonly uid: number | undefined
    /** Effective ones that this package has a use for. */
    readonly capabilities: readonly Capability[]
    /** The Node.js program, links followed, and its version. */
    readonly program: string
    readonly nodeVersion: string
  }
  readonly checks: readonly Check[]
  /** Ways to get what capabilities would add; empty when they would add nothing. */
  readonly grants: readonly Grant[]
}

/** How to give capabilities: to see everything, or to act on everything as well. */
export interface Grant {
  readonly purpose: 'observe' | 'act'
  readonly capabilities: readonly Capability[]
  /** Undefined where file capabilities would not help, or would keep Node.js from starting. */
  readonly setcap: string | undefined
  /** Lines of a unit's [Service] section. */
  readonly systemd: readonly string[]
  /** Flags of docker run and podman run. */
  readonly docker: readonly string[]
}

/**
 * Checks each privilege and kernel feature that this package can use: reads a few files, loads the bpf programs, opens a
 * pidfd of this process. Changes nothing, and takes some 50 ms. Never rejects for what is missing.
 */
export async function diagnose(): Promise<Diagnosis> {
  const readings = await readHost()
  const bpfSource = await checkBpfSource(readings)
  const events = await checkLifecycleEvents(readings)
  const checks = [bpfSource, events, ...checkProcesses(readings, { readsFiles: bpfSource.state !== 'ok' })]
  const { status, bpf, hasPressure } = readings
  return {
    state: worstOf(checks),
    host: { kernelRelease: bpf.kernelRelease, architecture: process.arch, hasPressure },
    process: {
      uid: status?.uids[1],
      capabilities: heldBy(readings),
      program: bpf.program,
      nodeVersion: process.version,
    },
    checks,
    grants: grantsFor(checks, readings),
  }
}

function worstOf(checks: readonly Pick<Check, 'state'>[]): CheckState {
  const has = (state: CheckState): boolean => checks.some((check) => check.state === state)
  return has('missing') ? 'missing' : has('limited') ? 'limited' : 'ok'
}

/** The grants for these checks; `act` includes `observe`, because each way of granting replaces what was given before. */
export function grantsFor(checks: readonly Check[], readings: HostReadings): Grant[] {
  const lackingFor = (areas: readonly Check['area'][]): Capability[] =>
    checks.filter(({ area }) => areas.includes(area)).flatMap(({ lacking }) => lacking)
  const observe = lackingFor(['observe'])
  const act = lackingFor(['observe', 'act'])
  const held = heldBy(readings).filter((capability) => capability !== 'CAP_SYS_ADMIN') // nearly root: never advised
  const grants: Grant[] = []
  if (observe.length > 0) {
    const alsoHeld = held.filter((capability) => OBSERVING.has(capability))
    grants.push(grant('observe', [...observe, ...alsoHeld], readings))
  }
  if (act.length > observe.length) grants.push(grant('act', [...act, ...held], readings))
  return grants
}

function grant(
  purpose: Grant['purpose'],
  wanted: readonly Capability[],
  { status, bpf }: HostReadings,
): Grant {
  const capabilities = ALL.filter((capability) => wanted.includes(capability))
  // The kernel refuses to execute a file that has more capabilities than the bounding set.
  const possible = capabilities.filter((capability) => hasCapability(bpf.bounding ?? 0n, capability))
  const adds = lackingCapabilities(status?.effective ?? 0n, possible).length > 0
  const helps = adds && !bpf.noNewPrivileges && bpf.userNamespace === 'host' && status?.uids[1] !== 0
  return {
    purpose,
    capabilities,
    setcap: helps ? setcapCommand(possible, bpf.program) : undefined,
    systemd: [ambientLine(capabilities), `CapabilityBoundingSet=${capabilities.join(' ')}`],
    docker: [
      '--pid=host',
      ...(bpf.userNamespace === 'other' ? ['--userns=host'] : []),
      ...capabilities.map((capability) => `--cap-add=${capability.slice('CAP_'.length)}`),
    ],
  }
}

const ALL = Object.keys(CAPABILITY_BIT) as Capability[]
const OBSERVING: ReadonlySet<Capability> = new Set([
  'CAP_BPF',
  'CAP_PERFMON',
  'CAP_SYS_PTRACE',
  'CAP_DAC_READ_SEARCH',
] as const)
const heldBy = ({ status }: HostReadings): Capability[] =>
  ALL.filter((capability) => hasCapability(status?.effective ?? 0n, capability))
