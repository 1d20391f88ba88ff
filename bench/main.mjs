// npm run bench -- NAME [options]: each NAME is a file of this folder that exports run(args).
const names = [
  'ps',
  'sample',
  'scale',
  'cost',
  'latency',
  'loop',
  'events',
  'map',
  'port',
  'signal',
  'evaluate',
  'decide',
  'tree',
  'top',
  'soak',
  'leaks',
]
const [name, ...args] = process.argv.slice(2)

if (!names.includes(name)) {
  console.error(`usage: npm run bench -- ${names.join('|')} [options]; --help after a name lists its options`)
  process.exit(2)
}
const bench = await import(`./${name}.mjs`)
await bench.run(args)
