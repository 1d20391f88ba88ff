import { readFile } from 'node:fs/promises'
import { afterEach, expect, test } from 'vitest'
import { cellWidth } from '../../../dist/cli/terminal.js'
import { hostileNames, readState, startProcess, stopAll, waitFor } from '../../fixtures/processes.js'
import { muster } from '../muster.js'
import { hasTmux, Terminal } from './terminal.js'

afterEach(stopAll)

/** A name that no other process of the host has. */
const nameOf = (letter: string): string => `top-${letter}-${process.pid % 1e6}`
const onTerminal = test.runIf(hasTmux)

/** By typing: a filter among the arguments would find muster and its shell too, by their command lines. */
async function filter(terminal: Terminal, text: string, count = 1): Promise<void> {
  await terminal.shows(/ USER .*COMM/)
  await terminal.press('/')
  await terminal.type(text)
  await terminal.shows(new RegExp(`Filter: ${text}_ +${count} of \\d+`))
  await terminal.press('Enter')
  await terminal.shows(new RegExp(`filter "${text}"`))
}

async function niceOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19 - 3])
}

onTerminal.each([
  [80, 24],
  [200, 50],
  [60, 10],
])('a screen of %i by %i', async (columns, rows) => {
  const name = nameOf('a')
  const { pid } = await startProcess('idle', { name })
  await using terminal = await Terminal.open([], { columns, rows })
  await terminal.shows(/ PID USER .* %CPU▼ .* COMM/)
  await terminal.shows(/^ *0\[.*\d%\]|cores busy/m) // there are rates from the second sample on
  await terminal.press('/')
  await terminal.type(name)
  await terminal.shows(new RegExp(`^ *${pid} .* S `, 'm'))
  await terminal.shows(/Filter: .* 1 of \d+/)
  const lines = await terminal.lines()
  expect(lines).toHaveLength(rows)
  for (const line of lines) expect(cellWidth(line)).toBeLessThanOrEqual(columns)
  expect(lines[0]).toMatch(/^( ?0\[.*%\].*|CPU\[.* cores busy\])$/)
  const text = lines.join('\n')
  expect(text).toMatch(/^Mem\[.*\/.*\]/m)
  expect(text).toMatch(/^(PSI cpu\[.*\] PSI mem\[.*\] PSI io\[.*\]|Pressure: .*)$/m)
  expect(text).toMatch(/^load .* up .* \d+ processes: /m)
  expect(text).toMatch(new RegExp(`^${pid} CPU +\\d.*\n +RSS +\\d`, 'm'))
  expect(lines.at(-1)).toContain(`Filter: ${name}_`)
  await terminal.press('Enter')
  await terminal.press('Escape')
  if (columns > 60) await terminal.shows(/\? help {2}\/ filter .* q quit$/m)
})

onTerminal('names that would steer a terminal are escaped, on the screen and in a question', async () => {
  const mark = nameOf('h')
  const { pid } = await startProcess('idle', {
    name: hostileNames.escape,
    extraArguments: [mark, '\u001b[31m\n'],
  })
  await using terminal = await Terminal.open([])
  await filter(terminal, mark) // by its command line
  await terminal.shows(new RegExp(`^ *${pid} `, 'm'))
  await terminal.press('k', 'Enter')
  await terminal.shows(new RegExp(`Send SIGTERM to ${pid} \\(\\\\e\\[31mred\\\\e\\[0m\\\\x07, .*\\)\\? y/n`))
  expect((await terminal.lines({ styled: true })).join('')).not.toContain('\u001b[31mred')
  await terminal.press('n')
  await terminal.shows(/nothing was done/)
  expect(await readState(pid)).toBe('S')
})

onTerminal('a tree shows children below their parents', async () => {
  const parent = process.pid
  const name = nameOf('t')
  const { pid } = await startProcess('idle', { name })
  await using terminal = await Terminal.open(['--tree'])
  await terminal.shows(/ USER /)
  await terminal.press('/')
  await terminal.type(name)
  await terminal.shows(new RegExp(`^ *${parent} .*\n *${pid} .*[├└]─`, 'm'))
  await terminal.press('Enter', 't')
  await terminal.shows(new RegExp(`COMMAND\n *${pid} [^├└]*$`, 'm'))
})

onTerminal('a signal ends the process that was chosen, and no other', async () => {
  const name = nameOf('s')
  const victim = await startProcess('idle', { name })
  const other = await startProcess('idle', { name })
  await using terminal = await Terminal.open(['--sort', '-pid', '--source', 'procfs'])
  await filter(terminal, name, 2)
  const [second, first] = [victim, other].sort((a, b) => a.pid - b.pid)
  await terminal.press('End', 'k')
  await terminal.shows(new RegExp(`to ${second!.pid} \\(${name}, `))
  await terminal.press('Enter', 'y')
  await terminal.shows(new RegExp(`${second!.pid} \\(${name}, .*\\): SIGTERM sent`))
  await waitFor(() => second!.child.signalCode === 'SIGTERM')
  await terminal.shows(new RegExp(`COMMAND\n *${first!.pid} .*\n\n`))
  expect(await readState(first!.pid)).toBe('S')
  // The neighbour has the cursor, and is asked about by its own name.
  await terminal.press('F9')
  await terminal.shows(new RegExp(`to ${first!.pid} \\(`))
  await first!.stop()
  await terminal.shows(new RegExp(`${first!.pid} \\(${name}, .*\\): it has ended`))
})

onTerminal('nice value and limit are set after a question; what is refused is told', async () => {
  const name = nameOf('n')
  const { pid } = await startProcess('idle', { name })
  await using terminal = await Terminal.open([])
  await filter(terminal, name)
  await terminal.shows(new RegExp(`^ *${pid} `, 'm'))
  await terminal.press('r')
  await terminal.type('7')
  await terminal.press('Enter')
  await terminal.shows(new RegExp(`Set nice 7 of ${pid} \\(.*\\)\\? y/n`))
  expect(await niceOf(pid)).toBe(0)
  await terminal.press('y')
  await terminal.shows(/: nice 7 set/)
  expect(await niceOf(pid)).toBe(7)
  await terminal.shows(new RegExp(`^ *${pid} \\S+ +7 `, 'm'))
  await terminal.press('l')
  await terminal.type('nofile=50:60')
  await terminal.press('Enter', 'y')
  await terminal.shows(/: limit nofile=50:60 set/)
  expect(await readFile(`/proc/${pid}/limits`, 'latin1')).toMatch(/Max open files +50 +60 /)
  await terminal.press('Escape') // alone: with another key it would be Alt
  await terminal.shows(/\/ filter /)
  await terminal.press('N', 'Home', 'k', 'Enter', 'y')
  await terminal.shows(/1 \(.*\) is pid 1, a kernel thread or muster itself/)
})

onTerminal('it looks into a process, and helps', async () => {
  const name = nameOf('i')
  const { pid } = await startProcess('idle', { name })
  await using terminal = await Terminal.open([])
  await filter(terminal, name)
  await terminal.shows(new RegExp(`^ *${pid} `, 'm'))
  await terminal.press('Enter')
  await terminal.shows(new RegExp(`^pid +${pid}\nname +${name}\nstate +S, `, 'm'))
  await terminal.press('Escape')
  await terminal.shows(/filter "/)
  await terminal.press('?')
  await terminal.shows(/^k F9 +send it a signal$/m)
  await terminal.press('q')
  await terminal.shows(/COMMAND/)
})

onTerminal('columns are chosen; a column of another group is sampled from then on', async () => {
  const name = nameOf('c')
  const { pid } = await startProcess('idle', { name })
  await using terminal = await Terminal.open([], { columns: 120 })
  await filter(terminal, name)
  await terminal.shows(new RegExp(`^ *${pid} `, 'm'))
  await terminal.press('c')
  await terminal.type('openFiles')
  await terminal.press('Enter', 'Escape')
  await terminal.shows(new RegExp(`OPENFILES COMMAND\n *${pid} .* \\d+ \\S*hostile`, 'm'))
})

onTerminal('a paste commands nothing, and is taken where text is asked for', async () => {
  const name = nameOf('p')
  const { pid } = await startProcess('idle', { name })
  await using terminal = await Terminal.open([])
  await filter(terminal, name)
  await terminal.paste('k\ny\nq')
  await terminal.press('r')
  await terminal.shows(/Nice value of/)
  await terminal.paste('1\n2')
  await terminal.shows(/-20 to 19: 12_$/m)
  expect(await readState(pid)).toBe('S')
  expect(await niceOf(pid)).toBe(0)
})

onTerminal('it follows the size of the terminal, and says when that is too small', async () => {
  await using terminal = await Terminal.open([])
  await terminal.shows(/COMMAND/)
  await terminal.resize(120, 40)
  await terminal.shows(/c columns .* q quit$/m)
  expect((await terminal.lines()).filter((line) => line !== '')).toHaveLength(40)
  await terminal.resize(50, 8)
  await terminal.shows(/^muster top needs 60x10, this is 50x8$/m)
  expect((await terminal.lines()).filter((line) => line !== '')).toHaveLength(1)
  await terminal.resize(80, 24)
  await terminal.shows(/COMMAND/)
  expect((await terminal.lines())[0]).toMatch(/^( ?0|CPU)\[/)
})

onTerminal.each([
  ['q', ['q'], 0],
  ['Ctrl-C', ['C-c'], 0],
])('%s leaves the terminal as it was', async (_, keys, code) => {
  await using terminal = await Terminal.open([])
  await terminal.shows(/COMMAND/)
  expect(await terminal.format('alternate_on')).toBe('1')
  await terminal.press(...keys)
  await terminal.shows(new RegExp(`^before\nexit code ${code}$`, 'm'))
  expect(await terminal.format('alternate_on')).toBe('0')
  expect(await terminal.format('cursor_flag')).toBe('1')
  // Lines are edited by the terminal again, and seen.
  await terminal.type('typed')
  await terminal.shows(/^typed$/m)
})

onTerminal.each([
  ['SIGTERM', 143],
  ['SIGHUP', 129],
  ['SIGINT', 130],
] as const)('%s ends it, with the terminal as it was', async (signal, code) => {
  await using terminal = await Terminal.open([])
  await terminal.shows(/COMMAND/)
  const pid = Number(await childOf(Number(await terminal.format('pane_pid'))))
  process.kill(pid, signal)
  await terminal.shows(new RegExp(`^before\nexit code ${code}$`, 'm'))
  expect(await terminal.format('alternate_on')).toBe('0')
})

onTerminal('Ctrl-Z gives the terminal back until fg', async () => {
  await using terminal = await Terminal.open([], { after: 'read line; fg; exec cat' })
  await terminal.shows(/COMMAND/)
  await terminal.press('C-z')
  await terminal.shows(/exit code 148/)
  expect(await terminal.format('alternate_on')).toBe('0')
  await terminal.press('Enter')
  await terminal.shows(/COMMAND/)
  await terminal.press('q')
  await terminal.shows(/exit code 148/)
})

onTerminal(
  'stopped from outside it gives the terminal back where it can, and paints its screen anew at fg',
  async () => {
    await using terminal = await Terminal.open([], { after: 'read line; fg; read line; fg; exec cat' })
    await terminal.shows(/COMMAND/)
    const pid = Number(await childOf(Number(await terminal.format('pane_pid'))))
    const isStopped = async () => (await readState(pid)) === 'T'
    process.kill(pid, 'SIGTSTP')
    await terminal.shows(/exit code 148/)
    expect(await terminal.format('alternate_on')).toBe('0')
    // In the background it leaves the terminal alone: the kernel stops it at the first change.
    process.kill(pid, 'SIGCONT')
    await waitFor(isStopped, { what: 'the stop of a background process' })
    expect(await terminal.format('alternate_on')).toBe('0')
    await terminal.press('Enter')
    await terminal.shows(/PID .*COMMAND/)
    // That cannot be heard: the screen stays, in the terminal's raw mode, for the shell to clear.
    process.kill(pid, 'SIGSTOP')
    await waitFor(isStopped, { what: 'the stop' })
    await terminal.press('C-j')
    await waitFor(async () => !(await isStopped()), { what: 'fg' })
    await terminal.press('F1')
    await terminal.shows(/move the cursor/)
    await terminal.press('Escape')
    await terminal.shows(/PID .*COMMAND/)
    await terminal.press('q')
    await waitFor(async () => (await terminal.format('alternate_on')) === '0', { what: 'the end' })
    await terminal.shows(/exit code 148/)
  },
)

onTerminal('it ends with its terminal', async () => {
  let pid = 0
  {
    await using terminal = await Terminal.open([])
    await terminal.shows(/COMMAND/)
    pid = Number(await childOf(Number(await terminal.format('pane_pid'))))
    expect(await readState(pid)).toMatch(/[RS]/)
  }
  await waitFor(
    () =>
      readState(pid).then(
        () => false,
        () => true,
      ),
    { what: 'the end of muster top' },
  )
})

onTerminal('a failure leaves the terminal as it was, and is told on it', async () => {
  const code = "process.on('SIGUSR2', () => { throw new Error('boom') })"
  const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(code)}` }
  await using terminal = await Terminal.open([], { env })
  await terminal.shows(/COMMAND/)
  process.kill(Number(await childOf(Number(await terminal.format('pane_pid')))), 'SIGUSR2')
  await terminal.shows(/^before\nmuster: unexpected failure: boom .*\nexit code 1$/m)
  expect(await terminal.format('alternate_on')).toBe('0')
})

const childOf = async (pid: number): Promise<string> =>
  (await readFile(`/proc/${pid}/task/${pid}/children`, 'latin1')).trim()

onTerminal('without UTF-8 it draws with ASCII, and colours can be turned off', async () => {
  await using terminal = await Terminal.open(['--tree'], { env: { LC_ALL: 'C', NO_COLOR: '1' } })
  await terminal.shows(/%CPUv/)
  await terminal.shows(/`-/)
  // Other tests' processes with names beyond ASCII come and go.
  await waitFor(async () => /^[\x20-\x7e]*$/.test((await terminal.lines()).join('')))
  const styled = (await terminal.lines({ styled: true })).join('')
  for (const color of [31, 32, 33]) expect(styled).not.toContain(`\u001b[${color}m`)
  expect(styled).toContain('\u001b[7m') // the cursor is seen all the same
})

test('without a terminal it says what to call instead', async () => {
  const { code, stderr, stdout } = await muster(['top'])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/^muster: muster top takes a whole terminal.*`muster ps --top cpu`.*\n$/)
})

test('what is wrong with a flag is said first, all of it', async () => {
  const { code, stderr } = await muster(['top', '--sort', 'cpuu', '--interval', '0', '--source', 'x'])
  expect(code).toBe(4) // of the first
  expect(stderr.trim().split('\n')).toEqual([
    expect.stringMatching(/-i\/--interval "0" is out of range; give seconds from 0\.1 to 86400$/),
    expect.stringMatching(/--sort "cpuu" is no column \(did you mean "cpu"\?\)/),
    expect.stringMatching(/--source "x" is not known/),
  ])
})
