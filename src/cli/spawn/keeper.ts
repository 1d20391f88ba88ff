import { writeSync } from 'node:fs'
import { keepExit, type SpawnedProcess } from '../../public/spawn.js'
import { TOLD_FD } from './start_in_keeper.js'

/** In the second muster. Resolves only where the program has ended already. */
export async function becomeKeeper(child: SpawnedProcess, file: string, told: string): Promise<void> {
  try {
    writeSync(TOLD_FD, told)
  } catch {
    // The first one was killed; the job is there, and is kept.
  }
  await keepExit(child, file)
}
