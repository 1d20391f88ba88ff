import { readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { lowerOwnPriority, type Rule, wordedBytes, wordedDuration } from '../../index.js'
import { hasAction } from './plan_rules.js'

const CAP_SYS_NICE = 23n // linux/capability.h

/**
 * Lowers this watcher's CPU and I/O priority. Children inherit the nice value, and only CAP_SYS_NICE can raise one
 * again: where a restart is planned without it, or rules may come that do, the value stays, so that the new process gets what the old one had.
 */
export function stayOutOfTheWay(rules: readonly Rule[], { mayChange }: { mayChange: boolean }): void {
  const mayRestart = mayChange || rules.some((rule) => hasAction(rule, 'restart'))
  const keepsNice = mayRestart && !mayRaisePriority()
  lowerOwnPriority(keepsNice ? { nice: getPriority() } : {})
}

function mayRaisePriority(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
  return effective !== undefined && ((BigInt(`0x${effective}`) >> CAP_SYS_NICE) & 1n) === 1n
}

/** What this watcher has cost since its process began. */
export function ownUse(): { cpuMs: number; cpuPercent: number; peakRssBytes: number; ranMs: number } {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
  const cpuMs = (userCPUTime + systemCPUTime) / 1000
  const ranMs = process.uptime() * 1000
  return { cpuMs, ranMs, cpuPercent: (100 * cpuMs) / ranMs, peakRssBytes: maxRSS * 1024 }
}

export function ownUseText(): string {
  const { cpuMs, ranMs, cpuPercent, peakRssBytes } = ownUse()
  return `own use: ${wordedDuration(cpuMs)} of CPU in ${wordedDuration(ranMs)} (${cpuPercent.toFixed(1)} %), at most ${wordedBytes(peakRssBytes)} of memory`
}
