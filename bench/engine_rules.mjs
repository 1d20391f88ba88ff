// Rules that hold for no idle process: each is judged for every row of every tick.
const CONDITIONS = [
  'rssBytes > 8GiB for 30s',
  'cpuPercent > 300% for 10s',
  'threads > 5000',
  'majorFaultsPerSecond > 100000 for 5s',
  'vszBytes > 64TiB',
]

export const idleRules = (count) =>
  Array.from({ length: count }, (_, i) => ({ name: `rule ${i}`, when: CONDITIONS[i % CONDITIONS.length] }))
