/** State letters of proc_pid_stat(5) with what they mean. */
export const STATES: Readonly<Record<string, string>> = {
  R: 'runs, or is ready to run',
  S: 'sleeps until something happens',
  D: 'waits in the kernel, and takes no signal',
  T: 'stopped by a signal',
  t: 'stopped by a debugger',
  Z: 'zombie: has ended, and its parent has not waited for it',
  X: 'dead',
  I: 'idle thread of the kernel',
}

/** A state letter of proc_pid_stat(5) with what it means. */
export const stateInWords = (letter: string): string =>
  STATES[letter] === undefined ? letter : `${letter}, ${STATES[letter]}`
