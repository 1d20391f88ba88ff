/** 15 clock ticks, the unit that the kernel counts CPU time in: steps of 7 % of a core. */
export const RATE_WINDOW_MS = 150
