// program.mjs leak|garbage|cache: three programs that make the same work, a block of memory ten times a second. Only the
// first one leaks.
//   leak     keeps every block, for good
//   garbage  keeps none: its memory climbs until the collector gives it back, again and again
//   cache    keeps the newest: its memory climbs while the cache fills, and is then a collector's as well
const [mode] = process.argv.slice(2)
const BLOCK_BYTES = 1 << 20
const CACHE_BLOCKS = 32
const kept = []
let made = 0

setInterval(() => {
  const block = Buffer.alloc(BLOCK_BYTES, ++made)
  if (mode !== 'garbage') kept.push(block)
  if (mode === 'cache' && kept.length > CACHE_BLOCKS) kept.shift()
}, 100)

// Its graceful end: a real program would finish its work here.
process.on('SIGTERM', () => process.exit(0))
// Nothing stays behind, whatever happens to who started it.
setTimeout(() => process.exit(0), 180_000)
