/** capabilities(7) that this package can use, by bit of linux/capability.h. */
export const CAPABILITY_BIT = {
  CAP_DAC_READ_SEARCH: 2,
  CAP_KILL: 5,
  CAP_SETGID: 6,
  CAP_SETUID: 7,
  CAP_SETPCAP: 8,
  CAP_NET_ADMIN: 12,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_NICE: 23,
  CAP_SYS_RESOURCE: 24,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const

/** Of capabilities(7), those that this package gains by. */
export type Capability = keyof typeof CAPABILITY_BIT

/** Whether a mask of `/proc/<pid>/status` (CapEff and so on) has a capability. */
export function hasCapability(mask: bigint, capability: Capability): boolean {
  return ((mask >> BigInt(CAPABILITY_BIT[capability])) & 1n) === 1n
}

/** Those of `wanted` that a mask lacks. */
export function lackingCapabilities<C extends Capability>(mask: bigint, wanted: readonly C[]): C[] {
  return wanted.filter((capability) => !hasCapability(mask, capability))
}

/**
 * A shell command that gives capabilities to every process of the Node.js program that runs now. File capabilities are
 * kept with the file itself, so links are to be followed first.
 */
export function setcapCommand(capabilities: readonly Capability[], program: string): string {
  const words = capabilities.map((capability) => capability.toLowerCase()).join(',')
  return `setcap ${words}+ep ${shellWord(program)}`
}

/** The line of a unit's [Service] section that gives them to a service of any user (systemd.exec(5)). */
export function ambientLine(capabilities: readonly Capability[]): string {
  return `AmbientCapabilities=${capabilities.join(' ')}`
}

function shellWord(text: string): string {
  return /^[\w./@%+=:,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
