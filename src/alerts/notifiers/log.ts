import { constants, open } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { Alert } from '../alert.js'
import { payloadOf } from './payload.js'
import type { Deliver } from './queue.js'

const LEVELS = { info: 'info', warning: 'warn', critical: 'error' } as const

/** Worse alerts at a worse level; what is over is no more than news. */
export const levelOf = ({ state, severity }: Alert): 'info' | 'warn' | 'error' =>
  state === 'resolved' ? 'info' : LEVELS[severity]

/** Writes alerts to a file of JSON Lines (opened for each, so that it can be rotated), or to a logger. */
export function logDelivery(path: string | undefined, log: Logger): Deliver {
  return async (alert) => {
    if (path === undefined) log[levelOf(alert)]({ alert }, alert.message)
    else await appendLine(path, `${payloadOf(alert)}\n`)
    return { attempts: 1 }
  }
}

async function appendLine(path: string, line: string): Promise<void> {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
  // O_NONBLOCK: a FIFO in its place must not hold a thread.
  const file = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
  try {
    if (!(await file.stat()).isFile()) throw new Error(`${path} is no regular file`)
    await file.appendFile(line)
  } finally {
    await file.close()
  }
}
