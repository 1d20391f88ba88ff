/** Every key with what it does: of the pane, of `--help` and of docs/cli.md. */
const KEYS: readonly (readonly [keys: string, meaning: string])[] = [
  ['Up Down PgUp PgDn', 'move the cursor; it stays on its process'],
  ['Home End', 'first row, whoever comes to be there; last row'],
  ['/ F4', 'show who has a text in name, user, command line or unit, or a PID that begins so; Esc: all'],
  ['u', 'the processes of one user'],
  ['P M T N', 'sort by CPU, memory, CPU time, PID'],
  ['< >', 'sort by the column before or after'],
  ['s F6', 'sort by a column of a list'],
  ['I', 'the other way round'],
  ['t F5', 'tree: children below their parents'],
  ['c', 'choose columns'],
  ['Enter i', 'look into the process'],
  ['k F9', 'send it a signal'],
  ['r F7 F8', 'set its nice value; F7 one less, F8 one more'],
  ['l', 'set a resource limit, such as nofile=4096:8192'],
  ['H', 'hold the screen, and go on'],
  ['Ctrl-L Ctrl-Z', 'paint the screen anew; stop until fg'],
  ['? h F1', 'this help'],
  ['q F10 Ctrl-C', 'quit'],
]

export const HELP_LINES: readonly string[] = KEYS.map(([keys, meaning]) => `${keys.padEnd(17)}  ${meaning}`)
