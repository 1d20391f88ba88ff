import type { Source } from './table.js'

/**
 * Time between the two samples of a rate, such that CPU time is off by 7 % of a core at most: 15 clock ticks, the unit of
 * procfs, or 15 timer interrupts of 4 ms, when the kernel brings up to date what a running process has used.
 */
export const RATE_WINDOW_MS: Readonly<Record<Source, number>> = { bpf: 60, procfs: 150 }
