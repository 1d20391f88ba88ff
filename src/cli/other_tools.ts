/** What does the work of a tool that people know, as `muster X` and `muster Y`. */
const INSTEAD: Readonly<Record<string, readonly string[]>> = {
  chrt: ['sched'],
  free: ['system'],
  htop: ['top'],
  ipcs: ['ipc'],
  kill: ['signal', 'stop'],
  killall: ['find', 'signal'],
  lsns: ['ns'],
  lsof: ['files', 'who'],
  netstat: ['net'],
  nohup: ['run'],
  pgrep: ['find'],
  pidof: ['find'],
  pkill: ['find', 'signal'],
  pmap: ['map'],
  prlimit: ['limit'],
  pstree: ['tree'],
  renice: ['nice'],
  ss: ['net'],
  systemctl: ['service'],
  taskset: ['affinity'],
  vmstat: ['system'],
}

/** What of muster does the work of that tool; undefined where it is none that is known. */
export function insteadOf(tool: string): string | undefined {
  return Object.hasOwn(INSTEAD, tool)
    ? INSTEAD[tool]!.map((name) => `\`muster ${name}\``).join(' and ')
    : undefined
}
