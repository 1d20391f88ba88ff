// collected MODE SECONDS: a Node.js process, whose collector makes cycles over what the program keeps.
//   garbage  keeps nothing   leak  keeps a little of all that it makes   cache  keeps up to a number of entries
const [mode, seconds] = process.argv.slice(2)
const endMs = performance.now() + Number(seconds) * 1000
const kept = []
const cache = new Map()
const CACHE_ENTRIES = 6000
// Three times as many keys as turns that fill it in a third of the time.
const turns = Number(seconds) * 50
const perTurn = Math.ceil(CACHE_ENTRIES / (turns / 3))

const record = () => ({ name: `user ${Math.random()}`, values: Array.from({ length: 300 }, Math.random) })

function turn() {
  for (let k = 0; k < 40; k++) {
    const made = record()
    if (mode === 'leak' && k === 0 && Math.random() < 0.5) kept.push(made)
  }
  for (let k = 0; mode === 'cache' && k < perTurn; k++) {
    cache.set(Math.floor(Math.random() * CACHE_ENTRIES * 3), record())
    if (cache.size > CACHE_ENTRIES) cache.delete(cache.keys().next().value)
  }
  if (performance.now() < endMs) setTimeout(turn, 20)
}
turn()
