// A program with a leak: it keeps every buffer that it ever made, some 40 MiB a second.
// It ends by itself after a minute, so that nothing stays behind whatever happens to who started it.
const kept = []
setInterval(() => kept.push(Buffer.alloc(4 << 20, kept.length)), 100)
setTimeout(() => process.exit(0), 60_000)
// Its graceful end: a real program would finish its work here.
process.on('SIGTERM', () => process.exit(0))
