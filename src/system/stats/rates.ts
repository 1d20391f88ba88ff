/** Undefined when the counter has gone back (wrapped, or begun anew), and when no time has passed. */
export function perSecond(
  before: number | undefined,
  now: number | undefined,
  seconds: number,
): number | undefined {
  if (before === undefined || now === undefined || !(seconds > 0) || !(now >= before)) return undefined
  return (now - before) / seconds
}

/** Rates of those that stand in both. */
export function ratesByName(
  before: Readonly<Record<string, number>>,
  now: Readonly<Record<string, number>>,
  seconds: number,
): Record<string, number | undefined> {
  const common = Object.keys(now).filter((name) => Object.hasOwn(before, name))
  return Object.fromEntries(common.map((name) => [name, perSecond(before[name], now[name], seconds)]))
}
