// Runs an engine that restarts one process, and kills itself at a step of that, or at an alert of that kind:
// node killed_engine.mjs OPTIONS
// OPTIONS: JSON { journal, pid, when, actions, rule, governor, killAt, killAfterMs }
const { Engine } = await import(new URL('../../dist/engine/engine.js', import.meta.url).href)

const options = JSON.parse(process.argv[2])
const {
  journal,
  pid,
  when,
  actions = ['restart'],
  rule = {},
  governor = {},
  killAt,
  killAfterMs = 0,
} = options

async function killAtStep(step) {
  if (step !== killAt) return
  if (killAfterMs === 0) process.kill(process.pid, 'SIGKILL')
  else setTimeout(() => process.kill(process.pid, 'SIGKILL'), killAfterMs)
  // SIGKILL to oneself is not always there at once; with a delay the restart goes on meanwhile.
  if (killAfterMs === 0) await new Promise(() => {})
}

const engine = await Engine.start({
  intervalMs: 50,
  journal,
  graceMs: 3000,
  // Until when it watched is known by its records.
  selfIntervalMs: 100,
  rules: [{ name: 'restart it', match: { pid }, when, actions, ...rule }],
  governor,
  hooks: {
    onBegun: () => killAtStep('begun'),
    onStep: (step) => killAtStep(step),
    onDone: () => killAtStep('done'),
  },
})
// Before anything that was appended together with it is on disk.
engine.on('alert', ({ kind }) => {
  if (kind === killAt) process.kill(process.pid, 'SIGKILL')
})
