import { NUMBER } from '../arguments.js'

const FIRST_PTS = 136
const LAST_PTS = 143

/**
 * Name below /dev of a terminal by its device number, `ProcessRow.ttyNr` (proc_pid_stat(5) field 7); `major:minor` where the
 * name is not known, undefined for none.
 */
export function terminalName(device: number): string | undefined {
  NUMBER('the device', device)
  if (device === 0) return undefined
  const major = (device >> 8) & 0xfff
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00)
  if (major >= FIRST_PTS && major <= LAST_PTS) return `pts/${(major - FIRST_PTS) * 256 + minor}`
  if (major === 4) return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`
  return `${major}:${minor}`
}
