/** What does the work of a tool that people know, as `muster X` and `muster Y`. */
const COMMANDS_FOR: Readonly<Record<string, readonly string[]>> = {
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
export function commandsFor(tool: string): string | undefined {
  return Object.hasOwn(COMMANDS_FOR, tool)
    ? COMMANDS_FOR[tool]!.map((name) => `\`muster ${name}\``).join(' and ')
    : undefined
}
