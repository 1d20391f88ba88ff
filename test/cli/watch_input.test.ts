import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type ProcessOptions, startProcess, stopAll } from '../fixtures/processes.js'
import { endRuns, muster, type RunOptions } from './muster.js'

const isRoot = process.getuid?.() === 0
const NOBODY = 65_534
if (!isRoot) console.warn('watch_input: not root, so the tests that need another user are left out')

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'muster-input-'))
  await chmod(directory, 0o755)
})
afterAll(() => rm(directory, { recursive: true }))
afterEach(async () => {
  await stopAll()
  await endRuns()
})

/** Runs `muster watch` and expects one line on stderr, nothing on stdout, and that code. */
async function refused(
  flags: readonly string[],
  code: number,
  line: RegExp,
  options?: RunOptions,
): Promise<void> {
  const result = await muster(['watch', ...flags], options)
  expect(result.stderr).toMatch(line)
  expect(result.stderr).toMatch(/^muster: [^\n]+\n$/)
  expect(result.code).toBe(code)
  expect(result.stdout).toBe('')
}
const idle = async (options?: ProcessOptions): Promise<string> =>
  String((await startProcess('idle', options)).pid)

test.each<[string, string[], number, RegExp]>([
  ['nothing at all', [], 2, /nothing to watch: give -p PID -t PERCENT/],
  ['a flag without its value', ['-t', '80', '-p'], 2, /option '-p, --pid <PID>' argument missing/],
  ['a flag in place of a value', ['-p', '-t', '80'], 2, /-p, --pid <PID> has no value: "-t" follows it/],
  [
    'an unknown flag',
    ['-p', '1', '--treshold', '80'],
    2,
    /unknown option '--treshold' \(Did you mean --threshold\?\)/,
  ],
  [
    'a stray word',
    ['1234', '-t', '80'],
    2,
    /"1234" is no flag of muster watch; a process is given with -p PID/,
  ],
  ['a flag twice', ['-p', '1', '-p', '2', '-t', '80'], 2, /--pid is given twice/],
  ['no threshold', ['-p', '1'], 2, /-t\/--threshold is missing/],
  ['no process', ['-t', '80'], 2, /-t\/--threshold without a process/],
  ['pid and name', ['-p', '1', '--name', 'x', '-t', '80'], 2, /exclude each other/],
  ['restart of everything', ['--rule', 'rss > 1GiB', '-r'], 2, /-r\/--restart with a rule for every process/],
  [
    'environ without evidence',
    ['-p', String(process.pid), '-t', '80', '--environ'],
    2,
    /--environ .* add it/,
  ],
  ['a PID in words', ['-p', 'init', '-t', '80'], 3, /-p\/--pid "init" is not a whole number/],
  ['a PID with a fraction', ['-p', '12.5', '-t', '80'], 3, /-p\/--pid "12.5"/],
  ['an empty PID', ['-p', '', '-t', '80'], 3, /-p\/--pid ""/],
  ['a PID in hexadecimal', ['-p', '0x10', '-t', '80'], 3, /-p\/--pid "0x10"/],
  ['PID 0', ['-p', '0', '-t', '80'], 4, /-p\/--pid "0" is out of range/],
  ['a negative PID', ['-p', '-5', '-t', '80'], 4, /-p\/--pid "-5" is out of range/],
  ['a huge PID', ['-p', '99999999999999999999', '-t', '80'], 4, /is out of range/],
  ['a threshold in words', ['-p', '1', '-t', 'high'], 3, /-t\/--threshold "high" is not a number/],
  ['a threshold in exponents', ['-p', '1', '-t', '1e1'], 3, /-t\/--threshold "1e1"/],
  ['threshold 0', ['-p', '1', '-t', '0'], 4, /-t\/--threshold "0" is out of range; give a percentage/],
  ['a negative threshold', ['-p', '1', '-t', '-1'], 4, /-t\/--threshold "-1" is out of range/],
  ['a threshold over 100', ['-p', '1', '-t', '100.1'], 4, /-t\/--threshold "100.1"/],
  ['no number as interval', ['-p', '1', '-t', '80', '-i', '5s'], 3, /-i\/--interval "5s" is not a number/],
  ['NaN as interval', ['-p', '1', '-t', '80', '-i', 'NaN'], 3, /-i\/--interval "NaN"/],
  ['interval 0', ['-p', '1', '-t', '80', '-i', '0'], 4, /-i\/--interval "0" is out of range/],
  ['a negative grace', ['-p', '1', '-t', '80', '--grace', '-1'], 4, /--grace "-1"/],
  ['an empty directory', ['-p', '1', '-t', '80', '-d', ''], 3, /-d\/--directory is empty/],
  ['a rule that is none', ['--rule', 'rss >> 5'], 3, /--rule "rss >> 5": /],
  ['a rule with a wrong column', ['--rule', 'rsss > 5MiB'], 3, /did you mean 'rss'/],
  [
    'a wrong name pattern',
    ['--name', '/(/', '--rule', 'rss > 5MiB'],
    3,
    /--name "\/\(\/": .*correct the pattern/,
  ],
  [
    'a rule that is none, named once',
    ['--rule', 'rss >> 5'],
    3,
    /^muster: --rule "rss >> 5": at character 5/,
  ],
  ['the same rule twice', ['--rule', 'rss > 1GiB', '--rule', 'rss > 1GiB'], 3, /two rules are named/],
  ['no such process', ['-p', '4194304', '-t', '80'], 5, /-p\/--pid "4194304": no such process; `muster ps`/],
  [
    'no such user',
    ['--user', 'no-such-user-here', '-t', '80'],
    4,
    /--user "no-such-user-here": no such user/,
  ],
  [
    'no such configuration',
    ['--config', '/nonexistent.yaml'],
    8,
    /--config "\/nonexistent.yaml" does not exist/,
  ],
])('%s is refused', async (_, flags, code, line) => {
  await refused(flags, code, line)
})

test('several faults get a line each, and the first one decides the code', async () => {
  const { code, stderr } = await muster(['watch', '-p', 'x', '-t', '200', '-i', '0'])
  expect(code).toBe(3)
  expect(stderr.trimEnd().split('\n')).toHaveLength(3)
})

test('hostile input does not reach the terminal raw', async () => {
  const { stderr } = await muster(['watch', '-p', '\u001b[31m\n', '-t', '80', '--name', '\u009b'])
  expect(stderr.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  const unknown = await muster(['watch', '--\u001b[31mred'])
  expect(unknown.stderr.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}]/u)
})

test('a process that has ended and was not collected is refused, with its parent', async () => {
  const { pid, child } = await startProcess('zombie')
  await refused(['-p', String(pid), '-t', '80'], 5, new RegExp(`has already ended; its parent ${child.pid} `))
})

test('a kernel thread is refused', async () => {
  await refused(['-p', '2', '-t', '80'], 4, /kernel thread \[kthreadd\]/)
})

test('a thread is refused, with the process to give instead', async () => {
  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true })
  try {
    const tids = await readdir('/proc/self/task')
    const tid = tids.find((name) => Number(name) !== process.pid)!
    await refused(
      ['-p', tid, '-t', '80'],
      5,
      new RegExp(`it is a thread of process ${process.pid}; give -p ${process.pid}`),
    )
  } finally {
    await worker.terminate()
  }
})

test('places that cannot be written to are refused, and nothing is left in them', async () => {
  const flags = ['-p', await idle(), '-t', '80', '--once']
  const file = join(directory, 'file')
  const link = join(directory, 'link')
  await writeFile(file, '')
  await symlink(tmpdir(), link)
  await refused([...flags, '-d', file], 7, /-d\/--directory ".*\/file" is not a directory/)
  await refused([...flags, '-d', link], 7, /is a symbolic link; evidence follows no links/)
  await refused(
    [...flags, '-d', join(directory, 'a', 'b')],
    7,
    /there is no directory ".*\/a"; create that first/,
  )
  await refused([...flags, '-d', join(file, 'below')], 7, /cannot be created|not a directory/)
  await refused([...flags, '-d', '/proc'], 7, /-d\/--directory "\/proc" cannot be written to/)
  const open = join(directory, 'open')
  await mkdir(open)
  await chmod(open, 0o777)
  await refused([...flags, '-d', open], 7, /can be written to by others; take that away with chmod go-w/)
  await refused([...flags, '--journal', directory], 7, /--journal ".*" is a directory; give a file/)
  await refused([...flags, '--journal', '/dev/null'], 7, /is not a regular file/)
  await refused([...flags, '--journal', join(directory, 'none', 'j')], 7, /there is no directory ".*\/none"/)
  expect((await readdir(directory)).sort()).toEqual(['file', 'link', 'open'])
})

test('a missing directory is made for its owner alone', async () => {
  const made = join(directory, 'made')
  const { code, stderr } = await muster(['watch', '-p', await idle(), '-t', '80', '--once', '-d', made])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect((await stat(made)).mode & 0o777).toBe(0o700)
})

test.runIf(isRoot)('what another user may not do is refused before it starts', async () => {
  const pid = await idle()
  await refused(['-p', pid, '-t', '80', '-r'], 6, /-r\/--restart: no permission to signal process \d+ of /, {
    uid: NOBODY,
  })
  const closed = join(directory, 'closed')
  await mkdir(closed, { mode: 0o755 })
  await refused(['-p', pid, '-t', '80', '-d', closed], 7, /"[^"]+" is not writable for this user/, {
    uid: NOBODY,
  })
  await chown(closed, NOBODY, NOBODY)
  await refused(['-p', pid, '-t', '80', '-d', closed], 7, /belongs to user 65534, who could replace/)
})
