// `npm start`: a program leaks, `muster watch` sees it among all processes of the host, keeps evidence, restarts it
// gracefully, and the new process is small again. Everything is real; it takes some ten seconds.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Sampler, sendSignal } from 'procmuster'

const LIMIT_MS = 30_000
const muster = fileURLToPath(new URL('../../dist/muster/main.js', import.meta.url))
const leaky = fileURLToPath(new URL('leaky.mjs', import.meta.url))
const say = (text) => console.log(`demo          ${text}`)
const mebibytes = (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`

const directory = await mkdtemp(join(tmpdir(), 'procmuster-demo-'))
const evidence = join(directory, 'evidence')
const journal = join(directory, 'muster.jsonl')
const config = join(directory, 'muster.yaml')
const token = `demo-${process.pid}` // so that only the program of this run is restarted
await writeFile(
  config,
  `# What this demo watches: any process of the host that matches.
interval: 0.5
grace: 5
directory: evidence
journal: muster.jsonl
rules:
  - name: leaking demo
    match: { commandLine: 'leaky\\.mjs ${token}$' }
    when: rss > 200MiB for 1s
    severity: critical
    actions: [evidence, restart]
`,
)

const ended = new AbortController()
const timer = setTimeout(() => ended.abort(), LIMIT_MS)
const program = spawn(process.execPath, [leaky, token], { stdio: 'ignore' })
const exited = once(program, 'exit')
say(`program ${program.pid} runs and leaks; it may have 200 MiB`)
say(`muster watch --config ${config}`)
const watcher = spawn(process.execPath, [muster, 'watch', '--config', config], {
  stdio: ['ignore', 'inherit', 'inherit'],
})
const watched = once(watcher, 'exit')
watched.then(() => ended.abort())
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ended.abort())

let successor
try {
  const before = await until(() => recordOf((record) => record.type === 'decision' && record.kind === 'fire'))
  const done = await until(() =>
    recordOf((record) => record.type === 'action-done' && record.action === 'restart'),
  )
  if (done.status !== 'done')
    throw new Error(`the restart ended as "${done.status}": ${done.error?.message ?? done.reason}`)
  successor = done.successor
  await exited
  const rss = await until(() => rssOf(successor))
  const clause = before.clauses.find(({ operand }) => operand === 'rssBytes')
  say(`recovered: ${mebibytes(clause.value)} before, ${mebibytes(rss)} now (new process ${successor.pid})`)
  say(`evidence in ${evidence}`)
  say(`journal in  ${journal}`)
  // Some looks more, so that the watch can tell at its end what came of the restart.
  await sleep(1500, undefined, { signal: ended.signal })
} catch (error) {
  say(`failed: ${ended.signal.aborted ? 'it was stopped, or took longer than 30 s' : error.message}`)
  process.exitCode = 1
} finally {
  clearTimeout(timer)
  if (watcher.exitCode === null && watcher.signalCode === null) watcher.kill('SIGINT')
  await watched
  program.kill('SIGKILL')
  if (successor) await sendSignal([successor], 'SIGKILL')
}

/** The first journal record that fits; the journal may be read while it is written. */
async function recordOf(fits) {
  const text = await readFile(journal, 'utf8').catch(() => '')
  const lines = text.split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line)).find(fits)
}

async function rssOf({ pid }) {
  const sampler = await Sampler.open()
  try {
    return (await sampler.sample()).get(pid)?.rssBytes
  } finally {
    await sampler.close()
  }
}

async function until(look) {
  for (;;) {
    const found = await look()
    if (found) return found
    await sleep(100, undefined, { signal: ended.signal })
  }
}
