import { setImmediate as nextTurn } from 'node:timers/promises'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

let underway = 0
let received: NodeJS.Signals | undefined

function hold(signal: NodeJS.Signals): void {
  // Somebody else who listens has said that it is not the end.
  if (process.listenerCount(signal) === 1) received ??= signal
}

/**
 * Does work that leaves others stopped or frozen if this process ends in its middle: a Ctrl-C ends it only afterwards.
 * The work has to be bounded in time.
 */
export async function holdingSignals<Result>(work: () => Promise<Result>): Promise<Result> {
  if (underway++ === 0) for (const signal of SIGNALS) process.on(signal, hold)
  try {
    return await work()
  } finally {
    // libuv hands over what has come when it polls next: one whole turn of the loop.
    await nextTurn()
    await nextTurn()
    if (--underway === 0) release()
  }
}

function release(): void {
  for (const signal of SIGNALS) process.off(signal, hold)
  const due = received
  received = undefined
  if (due !== undefined) process.kill(process.pid, due)
}
