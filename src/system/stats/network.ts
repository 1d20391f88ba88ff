import { perSecond } from './rates.js'

/** One direction of an interface; counters since it is there. */
export interface TrafficReading {
  readonly bytes: number
  readonly packets: number
  readonly errors: number
  readonly drops: number
}

/** A line of `/proc/net/dev`, of this process's network namespace. proc_pid_net(5). */
export interface NetworkReading {
  readonly name: string
  readonly received: TrafficReading & { readonly multicast: number }
  readonly sent: TrafficReading & { readonly collisions: number }
}

/** From one reading to the next; undefined: the counter has gone back. */
export interface TrafficRates {
  readonly bytesPerSecond: number | undefined
  readonly packetsPerSecond: number | undefined
  readonly errorsPerSecond: number | undefined
  readonly dropsPerSecond: number | undefined
}

/** Traffic of one interface between two readings. */
export interface NetworkRates {
  readonly name: string
  readonly received: TrafficRates
  readonly sent: TrafficRates
}

/** `  eth0: bytes packets errs drop fifo frame compressed multicast bytes packets errs drop fifo colls carrier compressed`. */
export function parseNetDev(text: string): NetworkReading[] {
  const interfaces: NetworkReading[] = []
  // The name can hold colons, as an alias does.
  for (const [, name, digits] of text.matchAll(/^ *(\S+): *(\d+(?: +\d+){15})$/gm)) {
    const at = digits!.split(/ +/).map(Number)
    interfaces.push({
      name: name!,
      received: { bytes: at[0]!, packets: at[1]!, errors: at[2]!, drops: at[3]!, multicast: at[7]! },
      sent: { bytes: at[8]!, packets: at[9]!, errors: at[10]!, drops: at[11]!, collisions: at[13]! },
    })
  }
  return interfaces
}

export function networkRates(before: NetworkReading, now: NetworkReading, seconds: number): NetworkRates {
  const { name } = now
  return {
    name,
    received: trafficRates(before.received, now.received, seconds),
    sent: trafficRates(before.sent, now.sent, seconds),
  }
}

function trafficRates(before: TrafficReading, now: TrafficReading, seconds: number): TrafficRates {
  return {
    bytesPerSecond: perSecond(before.bytes, now.bytes, seconds),
    packetsPerSecond: perSecond(before.packets, now.packets, seconds),
    errorsPerSecond: perSecond(before.errors, now.errors, seconds),
    dropsPerSecond: perSecond(before.drops, now.drops, seconds),
  }
}
