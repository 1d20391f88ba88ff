import { createProgram } from '../program.js'
import { bash } from './bash.js'
import type { Shell } from './command.js'
import { fish } from './fish.js'
import { knownCommand } from './known_command.js'
import { zsh } from './zsh.js'

const writers = { bash, zsh, fish } as const

/** The completion script of a shell. */
export const script = async (shell: Shell): Promise<string> =>
  writers[shell](knownCommand(await createProgram()))
