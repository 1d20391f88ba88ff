import { parseBytes } from '../../public/language.js'
import { EXIT } from '../exit_codes.js'
import type { FaultList } from '../fault.js'
import { quoted } from '../values.js'

/** A size in bytes, such as `500M`. */
export function readSize(text: string, flag: string, faults: FaultList): number | undefined {
  try {
    return parseBytes(text)
  } catch {
    return faults.add(
      EXIT.malformed,
      `${flag} ${quoted(text)} is no size; give bytes, 500M, 1.5GiB, or unlimited`,
    )
  }
}
