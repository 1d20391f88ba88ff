import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { syncDirectory } from '../../dist/journal/private_files.js'
import { readJournal } from '../../dist/journal/reader.js'
import type { JournalBody, JournalRecord } from '../../dist/journal/records.js'
import { recover } from '../../dist/journal/recover.js'
import { Journal } from '../../dist/journal/writer.js'

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'procmuster-journal-'))
  path = join(directory, 'muster.jsonl')
})
afterEach(() => rm(directory, { recursive: true }))

const body = (ticks: number): JournalBody => ({
  type: 'self',
  userCpuMs: 1,
  systemCpuMs: 2,
  rssBytes: 3,
  ticks,
  missedTicks: 0,
})

async function readAll(file = path) {
  const records: JournalRecord[] = []
  const reader = readJournal(file)
  for await (const record of reader) records.push(record)
  return { records, badLines: reader.badLines, tornTail: reader.tornTail }
}
const ticksOf = (records: JournalRecord[]) => records.map((record) => record.type === 'self' && record.ticks)

describe('journal', () => {
  it('writes records in the order of the calls, plain and durable ones mixed', async () => {
    const journal = await Journal.open(path)
    const commits: Promise<void>[] = []
    for (let i = 0; i < 500; i++) {
      if (i % 3 === 0) commits.push(journal.commit(body(i)))
      else journal.append(body(i))
    }
    await Promise.all(commits)
    await journal.close()
    const { records, badLines } = await readAll()
    expect(ticksOf(records)).toEqual(Array.from({ length: 500 }, (_, i) => i))
    expect(records.map((record) => record.seq)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1))
    expect(badLines).toBe(0)
    expect(records[0]!.time).toBe(new Date(records[0]!.atMs).toISOString())
  })

  it('goes on in a new file where its own was moved or deleted, as logrotate does, and says so', async () => {
    const told: string[] = []
    const journal = await Journal.open(path, { onError: ({ message }) => told.push(message) })
    await journal.commit(body(1))
    await rename(path, `${path}.1`)
    await journal.commit(body(2))
    await rm(path)
    await journal.commit(body(3))
    expect(told).toHaveLength(2)
    expect(told[0]).toBe(
      `The journal ${path} was moved or deleted: its records go on in a new file of that name`,
    )
    const old = await readAll(`${path}.1`)
    expect(ticksOf(old.records)).toEqual([1])
    const { records } = await readAll()
    expect(ticksOf(records)).toEqual([3])
    expect(records[0]!.seq).toBe(3)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    // It is its only writer there too.
    await expect(Journal.open(path)).rejects.toMatchObject({ code: 'BUSY' })
    await journal.close()
  })

  it('begins a new file with the start of its run: who reads it knows where its processes are, and whether it ended', async () => {
    const journal = await Journal.open(path)
    const place = { bootId: 'b', pidNamespace: 'pid:[1]' }
    await journal.commit({
      ...{ type: 'engine-start', engine: { pid: 9, startTicks: 1 }, place, source: 'procfs' },
      ...{ intervalMs: 1, dryRun: false, rules: ['r'] },
    })
    await journal.commit(body(1))
    await rename(path, `${path}.1`)
    await journal.commit(body(2))
    const { records } = await readAll()
    expect(records.map(({ type, seq }) => [type, seq])).toEqual([
      ['engine-start', 1],
      [body(2).type, 3],
    ])
    expect(recover(records)).toMatchObject({ crashed: true })
    await journal.close()
  })

  it('writes nothing beside another engine that has taken its path meanwhile', async () => {
    const told: string[] = []
    const journal = await Journal.open(path, { onError: ({ code }) => told.push(code) })
    await rename(path, `${path}.1`)
    const other = await Journal.open(path)
    await expect(journal.commit(body(1))).rejects.toMatchObject({ code: 'BUSY' })
    expect(told).toEqual(['BUSY'])
    await other.commit(body(2))
    await other.close()
    await journal.commit(body(3))
    await journal.close()
    const { records, badLines } = await readAll()
    expect(ticksOf(records)).toEqual([2, 3])
    expect(badLines).toBe(0)
  })

  it('is on disk, with what came before, once a commit resolves', async () => {
    const journal = await Journal.open(path)
    journal.append(body(1))
    await journal.commit(body(2))
    expect(ticksOf((await readAll()).records)).toEqual([1, 2])
    await journal.close()
  })

  it('does without the sync of a directory where the file system has none', async () => {
    await expect(syncDirectory('/proc')).resolves.toBeUndefined()
  })

  it('has mode 0600, also where a wider one was found', async () => {
    await writeFile(path, '')
    chmodSync(path, 0o644)
    await (await Journal.open(path)).close()
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  it('follows no link and takes nothing but a regular file', async () => {
    await symlink(join(directory, 'elsewhere'), path)
    await expect(Journal.open(path)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', path })
    await mkdir(join(directory, 'folder'))
    await expect(Journal.open(join(directory, 'folder'))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(Journal.open('/dev/null')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(Journal.open(join(directory, 'no', 'way'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('skips and counts lines that are no records, and goes on after a torn one on a fresh line', async () => {
    const first = await Journal.open(path)
    await first.commit(body(1))
    await first.close()
    await appendFile(path, 'not json\n{"v":99,"seq":7,"type":"self","atMs":1}\n\n{"v":1,"seq":5,"ty')
    const seen: number[] = []
    const second = await Journal.open(path, { onRecord: (record) => seen.push(record.seq) })
    expect(seen).toEqual([1])
    expect(second.badLines).toBe(3)
    await second.commit(body(2))
    await second.close()
    const { records, badLines, tornTail } = await readAll()
    expect(ticksOf(records)).toEqual([1, 2])
    expect(records[1]!.seq).toBe(2)
    expect({ badLines, tornTail }).toEqual({ badLines: 3, tornTail: false })
  })

  it('reads lines that span many chunks, and skips one that is too long without keeping it', async () => {
    const long = `{"v":1,"seq":1,"atMs":1,"type":"x","pad":"${'é'.repeat(600_000)}"}\n`
    const tooLong = `{"v":1,"seq":2,"atMs":1,"type":"x","pad":"${'y'.repeat(6_000_000)}"}\n`
    await writeFile(path, `${long}${tooLong}{"v":1,"seq":3,"atMs":1,"type":"x"}\n`)
    const { records, badLines } = await readAll()
    expect(records.map((record) => record.seq)).toEqual([1, 3])
    expect((records[0] as unknown as { pad: string }).pad).toBe('é'.repeat(600_000))
    expect(badLines).toBe(1)
  })

  it('leaves out types that nobody asks for, counts their numbers, and still finds what is torn', async () => {
    const first = await Journal.open(path)
    const overrun: JournalBody = { type: 'overrun', count: 7 }
    for (const each of [body(1), overrun, body(2)]) await first.commit(each)
    await first.close()
    await appendFile(path, '{"v":1,"seq":4,"atMs":1,"time":"x","type":"self","tic\n')
    const reader = readJournal(path, { without: ['self'] })
    const types: string[] = []
    for await (const { type } of reader) types.push(type)
    expect([types, reader.lastSeq, reader.badLines]).toEqual([['overrun'], 3, 1])
  })

  it('escapes what could drive a terminal', async () => {
    const journal = await Journal.open(path)
    const rule = 'a\u001b[2J\u009b31m\u202e\u200b\ufeff\nb'
    await journal.commit({ ...body(1), rule } as JournalBody)
    await journal.close()
    const text = await readFile(path, 'utf8')
    expect(text.trimEnd()).toMatch(/^[\x20-\x7e]*$/)
    expect(JSON.parse(text).rule).toBe(rule)
  })

  it('has one writer, also within one process and over worker threads', async () => {
    const journal = await Journal.open(path)
    await expect(Journal.open(path)).rejects.toMatchObject({ code: 'BUSY', path })
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads')
       import(workerData.module).then(({ Journal }) => Journal.open(workerData.path))
         .then(() => parentPort.postMessage('opened'), (error) => parentPort.postMessage(error.code))`,
      {
        eval: true,
        workerData: { path, module: new URL('../../dist/journal/writer.js', import.meta.url).href },
      },
    )
    const [answer] = await once(worker, 'message')
    expect(answer).toBe('BUSY')
    await worker.terminate()
    await journal.close()
    await journal.close()
    await expect(journal.commit(body(1))).rejects.toMatchObject({ code: 'CLOSED' })
    await (await Journal.open(path)).close()
  })

  it('keeps every committed record of a process killed while it writes, and gives the lock free', async () => {
    const child = script(`
      const journal = await Journal.open(process.argv[1])
      for (let i = 1; ; i++) {
        journal.append({ type: 'self', ticks: -i, pad: 'x'.repeat(5000) })
        await journal.commit({ type: 'self', ticks: i })
        process.stdout.write(i + '\\n')
      }`)
    let committed = 0
    for await (const line of createInterface(child.stdout)) {
      committed = Number(line)
      if (committed === 40) child.kill('SIGKILL')
    }
    const journal = await Journal.open(path)
    await journal.commit(body(1_000_000))
    await journal.close()
    const ticks = ticksOf((await readAll()).records)
    for (let i = 1; i <= committed; i++) expect(ticks).toContain(i)
    expect(committed).toBeGreaterThanOrEqual(40)
    expect(ticks.at(-1)).toBe(1_000_000)
  })

  it('says when the disk takes no more, and goes on once it does', async () => {
    // A file size limit makes the kernel cut writes short and then refuse them, as a full disk does.
    const child = script(
      `process.on('SIGXFSZ', () => {})
      const errors = []
      const journal = await Journal.open(process.argv[1], { onError: (error) => errors.push(error.code) })
      const results = []
      for (let i = 1; i <= 4; i++) {
        const pad = 'x'.repeat(2500)
        results.push(await journal.commit({ type: 'self', ticks: i, pad }).then(() => 'ok', (error) => error.code))
      }
      execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=unlimited'])
      results.push(await journal.commit({ type: 'self', ticks: 5 }).then(() => 'ok', (error) => error.code))
      await journal.close()
      process.stdout.write(JSON.stringify({ results, errors }) + '\\n')`,
      'ulimit -S -f 8; exec "$0" "$@"', // in units of 512 or 1024 bytes, as the shell likes
    )
    const [line] = await once(createInterface(child.stdout), 'line')
    const { results, errors } = JSON.parse(String(line)) as { results: string[]; errors: string[] }
    expect(results[0]).toBe('ok')
    expect(results.at(-1)).toBe('ok')
    const failures = results.filter((result) => result === 'IO_ERROR').length
    expect(failures).toBeGreaterThan(0)
    // Told once until one succeeds.
    expect(errors).toEqual(['IO_ERROR'])
    const { records, badLines } = await readAll()
    expect(ticksOf(records)).toEqual(results.flatMap((result, i) => (result === 'ok' ? [i + 1] : [])))
    expect(badLines).toBe(1)
  })
})

/** Starts a node script with `Journal` at hand and the journal's path as its argument. */
function script(code: string, shell?: string) {
  const module = new URL('../../dist/journal/writer.js', import.meta.url).href
  const source = `import { execFileSync } from 'node:child_process'
    import { Journal } from ${JSON.stringify(module)}
    ${code}`
  const command = [process.execPath, '--input-type=module', '-e', source, path]
  const [file, args] =
    shell === undefined ? [command[0]!, command.slice(1)] : ['sh', ['-c', shell, ...command]]
  return spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
}
