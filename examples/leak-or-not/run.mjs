// Three programs grow: one leaks, one has a garbage collector, one fills a cache. `muster watch` is to restart the first
// one alone, once, and its journal is to say that the memory came back. Everything is real; it takes about a minute.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readJournal, sendSignal } from 'procmuster'

const LIMIT_MS = 140_000
const muster = fileURLToPath(new URL('../../dist/muster/main.js', import.meta.url))
const program = fileURLToPath(new URL('program.mjs', import.meta.url))
const directory = await mkdtemp(join(tmpdir(), 'procmuster-leaks-'))
const journal = join(directory, 'muster.jsonl')
const config = join(directory, 'muster.yaml')
const token = `leaks-${process.pid}` // so that only the programs of this run are judged
const say = (text) => console.log(`leak-or-not   ${text}`)
const mebibytes = (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`

await writeFile(
  config,
  `# A service's leak is looked for over ten minutes and more, and its new process followed for one. These programs
# live faster.
interval: 0.25
grace: 5
outcome: 15 # seconds
directory: evidence
journal: muster.jsonl
rules:
  - name: leaking program
    match: { commandLine: 'program\\.mjs [a-z]+ ${token}$' }
    when: leak(rss, 20s)
    severity: critical
    actions: [evidence, restart]
`,
)

const ended = new AbortController()
const timer = setTimeout(() => ended.abort(), LIMIT_MS)
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ended.abort())
const programs = ['leak', 'garbage', 'cache'].map((mode) => {
  const child = spawn(process.execPath, [program, mode, token], { stdio: 'ignore' })
  say(`${mode}: process ${child.pid}`)
  return { mode, child }
})
const watcher = spawn(process.execPath, [muster, 'watch', '--config', config], {
  stdio: ['ignore', 'inherit', 'inherit'],
})
const watched = once(watcher, 'exit')
watched.then(() => ended.abort())

try {
  const { identity, rssBeforeBytes, rssAfterBytes, relieved, reasons } = await firstOutcome()
  const fired = await records((record) => record.type === 'decision' && record.kind === 'fire')
  const restarts = await records(({ type, action }) => type === 'action-done' && action === 'restart')
  const [leaking] = programs
  for (const { identity, rule } of [...fired, ...restarts]) {
    if (identity.pid === leaking.child.pid) continue
    const whom = programs.find(({ child }) => child.pid === identity.pid)?.mode ?? 'successor'
    throw new Error(`the rule "${rule}" took the ${whom} (process ${identity.pid}) for a leak`)
  }
  if (restarts.length !== 1) throw new Error(`${restarts.length} restarts`)
  if (relieved !== true) throw new Error(`it did not help: ${reasons.join('; ')}`)
  say(
    `only the leak was restarted, once: ${mebibytes(rssBeforeBytes)} before, ${mebibytes(rssAfterBytes)} after`,
  )
  say(`journal in ${journal}`)
  say(`all about it: muster why ${identity.pid} --journal ${journal}`)
} catch (error) {
  say(`failed: ${ended.signal.aborted ? 'it was stopped, or took too long' : error.message}`)
  process.exitCode = 1
} finally {
  clearTimeout(timer)
  if (watcher.exitCode === null && watcher.signalCode === null) watcher.kill('SIGINT')
  await watched
  for (const { child } of programs) child.kill('SIGKILL')
  const done = await records(({ type, successor }) => type === 'action-done' && successor).catch(() => [])
  for (const { successor } of done) await sendSignal([successor], 'SIGKILL')
}

/** The journal may be read while it is written. */
async function records(fits) {
  const found = []
  for await (const record of readJournal(journal)) if (fits(record)) found.push(record)
  return found
}

async function firstOutcome() {
  for (;;) {
    const [outcome] = await records(({ type }) => type === 'outcome').catch(() => [])
    if (outcome) return outcome
    await sleep(250, undefined, { signal: ended.signal })
  }
}
