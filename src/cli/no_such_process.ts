/** What is said of PIDs that nobody has. */
export const noSuchProcess = (pids: number | string, flag = 'PID'): string =>
  `${flag} ${pids}: no such process; \`muster ps\` lists those there are`
