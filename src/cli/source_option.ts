import { ProcmusterError } from '../index.js'
import { EXIT } from './exit_codes.js'
import { fail, messageOf } from './fault.js'

/** Opens something by a source; one asked for by name that is not to be had here is a fault of the flag. */
export async function openingSource<T>(source: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (error) {
    const isSource =
      error instanceof ProcmusterError && (error.code === 'UNSUPPORTED' || error.code === 'ACCESS_DENIED')
    if (source === 'auto' || !isSource) throw error
    fail(
      error.code === 'ACCESS_DENIED' ? EXIT.permission : EXIT.outOfRange,
      `--source ${source}: ${messageOf(error)}`,
    )
  }
}
