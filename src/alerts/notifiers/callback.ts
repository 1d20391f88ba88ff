import type { Alert } from '../alert.js'
import type { Deliver } from './queue.js'

/** Calls a function; one whose promise does not settle in time is given up, not waited for. */
export function callbackDelivery(notify: (alert: Alert) => unknown, timeoutMs: number): Deliver {
  return async (alert, signal) => {
    let stopWaiting = (): void => {}
    const overdue = new Promise<never>((_, reject) => {
      const timer = setTimeout(() => reject(new Error(`not done within ${timeoutMs} ms`)), timeoutMs)
      const onClosing = (): void => reject(new Error('the engine closed first'))
      signal.addEventListener('abort', onClosing, { once: true })
      stopWaiting = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', onClosing)
      }
    })
    try {
      await Promise.race([Promise.resolve(notify(alert)), overdue])
      return { attempts: 1 }
    } finally {
      stopWaiting()
    }
  }
}
