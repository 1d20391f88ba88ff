/** A line of `/proc/interrupts` or `/proc/softirqs`: a counter since boot. */
export interface InterruptReading {
  /** Number of the line, or a name such as `NMI`, `TIMER`. */
  readonly name: string
  /** Controller, trigger and devices; empty for soft ones. */
  readonly description: string
  readonly total: number
  /** By the number of the core; undefined for the few that the kernel counts for all cores at once. */
  readonly perCore: Readonly<Record<number, number>> | undefined
}

/** First the cores, `CPU0 CPU1`, then lines `24: 1 0 IO-APIC 5-edge ttyS0`. proc_interrupts(5), proc_softirqs(5). */
export function parseInterrupts(text: string): InterruptReading[] | undefined {
  const [head = '', ...lines] = text.split('\n')
  const cores = [...head.matchAll(/CPU(\d+)/g)].map(([, core]) => Number(core))
  if (cores.length === 0) return undefined
  const interrupts: InterruptReading[] = []
  for (const line of lines) {
    const found = /^ *([^\s:]+): *(.*)$/.exec(line)
    if (found === null) continue
    const words = found[2]!.split(/ +/)
    // No more than there are cores: a description can begin with a number.
    let count = 0
    while (count < cores.length && /^\d+$/.test(words[count] ?? '')) count++
    if (count === 0) continue
    const numbers = words.slice(0, count).map(Number)
    interrupts.push({
      name: found[1]!,
      description: words.slice(count).join(' ').trim(),
      total: numbers.reduce((sum, each) => sum + each, 0),
      perCore:
        count === cores.length
          ? Object.fromEntries(cores.map((core, at) => [core, numbers[at]!]))
          : undefined,
    })
  }
  return interrupts
}
