import { execFile, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify, stripVTControlCharacters } from 'node:util'
import type { Command } from 'commander'
import { expect, test, vi } from 'vitest'
import { EXIT, EXIT_MEANINGS } from '../../dist/cli/exit_codes.js'
import { createProgram } from '../../dist/cli/program.js'
import { cellWidth } from '../../dist/cli/terminal.js'
import { HELP_LINES } from '../../dist/cli/top/help.js'
import { wrapHelp } from '../../dist/cli/wrap.js'
import { muster } from './muster.js'

const run = promisify(execFile)
const root = new URL('../../', import.meta.url)

/** The formatter pads the cells of tables. */
const unpadded = async (page: string): Promise<string> =>
  (await readFile(new URL(page, root), 'utf8')).replaceAll(/ +/g, ' ')

test('every exit code is documented in --help and in docs/cli.md, in the same words', async () => {
  const help = (await muster(['--help'])).stdout
  const watchHelp = (await muster(['watch', '--help'])).stdout
  const page = await unpadded('docs/cli.md')
  const documented = new Set(EXIT_MEANINGS.map(([code]) => code))
  for (const code of Object.values(EXIT)) expect(documented).toContain(code)
  const unwrapped = (text: string): string => text.replaceAll(/\n {7}/g, ' ')
  for (const [code, meaning] of EXIT_MEANINGS) {
    const line = `${String(code).padStart(5)}  ${meaning}`
    expect(unwrapped(help)).toContain(line)
    expect(unwrapped(watchHelp)).toContain(line)
    expect(page).toContain(`| ${code} | ${meaning} |`)
  }
})

test('--help has examples and every flag that docs/watch.md has; --version is the package’s', async () => {
  const { stdout, code } = await muster(['watch', '--help'])
  expect(code).toBe(0)
  expect(stdout).toContain('muster watch -p 1234 -t 80 -i 5 -d ./evidence -r')
  const [table] = /^\| flag \| meaning.*?\n\n/ms.exec(await unpadded('docs/watch.md'))!
  const flags = table.match(/--[a-z-]+/g)!.filter((flag) => !/^-+$/.test(flag))
  expect(new Set(flags)).toContain('--restart')
  for (const flag of flags) expect(stdout).toContain(flag)
  const { version } = JSON.parse(await readFile(new URL('package.json', root), 'utf8')) as { version: string }
  expect((await muster(['--version'])).stdout).toBe(`${version}\n`)
})

test('help fits 80 columns, with its examples', async () => {
  const tooWide: string[] = []
  const look = async (command: Command): Promise<void> => {
    let help = ''
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
    for (const line of wrapHelp(help, 80).split('\n')) {
      if (line.length > 80) tooWide.push(`${command.name()}: ${line}`)
    }
    for (const inner of command.commands) await look(inner)
  }
  await look(await createProgram())
  expect(tooWide).toEqual([])
  for (const args of [['--help'], ['ps', '--help'], ['watch', '--help']]) {
    const { stdout } = await muster(args)
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
  }
})

async function onTerminal(columns: number, args: string): Promise<string[]> {
  const command = `stty cols ${columns}; '${process.execPath}' dist/muster/main.js ${args} || true`
  const { stdout } = await run('script', ['-qec', command, '/dev/null'], {
    cwd: root,
    env: { ...process.env, TERM: 'xterm', NO_COLOR: '1' },
  })
  return stripVTControlCharacters(stdout).split('\r\n')
}

test('narrow terminals: what is told is wrapped, and columns are left out, but nothing is cut', async () => {
  for (const columns of [60, 80]) {
    const outputs = await Promise.all([
      onTerminal(columns, `info ${process.pid}`),
      onTerminal(columns, `monitor ${process.pid} --count 1`),
      onTerminal(columns, 'system network'),
      onTerminal(columns, 'system disks'),
    ])
    for (const line of outputs.flat()) {
      // A path has no place to break it.
      if (line.trim().includes(' ')) expect(line.length, line).toBeLessThanOrEqual(columns)
      if (!line.startsWith('command ')) expect(line).not.toContain('…')
    }
    const [info, monitor, network] = outputs.map((lines) => lines.join(' ').replaceAll(/ +/g, ' '))
    expect(info).toMatch(/ memory rss .* vsz [\d.]+[KMGT] /)
    expect(monitor).toMatch(/ cpu .*so far user .* system [\d.]+/)
    expect(network).toMatch(/IN-B\/S IN-PKTS .*OUT-B\/S OUT-PKTS/)
    expect(network!.includes('OUT-DROPS')).toBe(columns === 80)
  }
})

test('narrow terminals: no line of tables and reports is wider', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'muster-narrow-'))
  const rules = join(directory, 'rules.yaml')
  await writeFile(
    rules,
    "rules: [{ name: 'a name of many words that takes a line', when: rss > 1GiB and cpu > 30% for 30s }]\n",
  )
  const commands = [
    ...['ps --limit 5', 'ps aux --limit 5', 'net', 'doctor', 'zombies', 'states S', 'system cpu', 'cgroup /'],
    ...['track', 'threads', 'files', 'sched', 'limits'].map((name) => `${name} ${process.pid}`),
    `rules check ${rules} --static`,
  ].map((command) => (command.startsWith('track') ? `${command} --count 1` : command))
  for (const columns of [60, 40]) {
    for (const command of commands) {
      for (const line of await onTerminal(columns, command)) {
        // What is to be copied, and a word that has no place to break it, stay whole; stderr is prose.
        const isWhole =
          /^ {4}(file|unit|docker) /.test(line) || /^muster: /.test(line) || !/\S\s+\S/.test(line)
        if (!isWhole) expect(cellWidth(line), `${command}: ${line}`).toBeLessThanOrEqual(columns)
      }
    }
  }
  const [heading] = await onTerminal(60, 'ps --limit 1')
  expect(heading).toMatch(/^USER +PID .*%CPU .* NAME/)
  await rm(directory, { recursive: true })
}, 120_000)

test('docs/cli.md has every command', async () => {
  const page = await readFile(new URL('docs/cli.md', root), 'utf8')
  const shown = [...page.matchAll(/\bmuster (\w+)/g)].map(([, name]) => name)
  for (const command of (await createProgram()).commands) expect(shown).toContain(command.name())
})

test.each(['README.md', 'docs/cli.md'])('there is every flag that the commands of %s have', async (page) => {
  const program = await createProgram()
  const text = await readFile(new URL(page, root), 'utf8')
  for (const [line] of text.matchAll(/^muster .*$/gm)) {
    const [own] = line.replaceAll(/'[^']*'|"[^"]*"/g, 'VALUE').split(' -- ')
    const words = own!.split(/[\s,;:]+/)
    const commands = innermost(program, words.slice(1))
    const flags = commands.flatMap(({ options }) => options.flatMap(({ long, short }) => [long, short]))
    for (const word of words) if (/^-(?:-[a-z]|[a-z]$)/.test(word)) expect(flags, line).toContain(word)
  }
})

/** A command and its subcommands, as a comment may name flags of these. */
function innermost(command: Command, [name, ...rest]: readonly string[]): Command[] {
  const inner = command.commands.find((each) => each.name() === name)
  return inner === undefined ? [command, ...command.commands] : innermost(inner, rest)
}

test('docs/cli.md has the keys of top', async () => {
  const page = await readFile(new URL('docs/cli.md', root), 'utf8')
  expect(page).toContain(`\n${HELP_LINES.join('\n')}\n`)
})

test('the command line goes through the public API, and its own files', async () => {
  const folder = new URL('src/cli/', root)
  const files = (await readdir(folder, { recursive: true })).filter((file) => /\.ts$/.test(file))
  expect(files).toContain('program.ts')
  const beyond: string[] = []
  for (const file of files) {
    const url = new URL(file, folder)
    for (const [, path] of (await readFile(url, 'utf8')).matchAll(/(?:from|import)[ (]'(\.[^']+)'/g)) {
      const target = new URL(path!, url).href.slice(root.href.length)
      if (!/^src\/(cli\/|public\/|index\.js$)/.test(target)) beyond.push(`${file}: ${path}`)
    }
  }
  expect(beyond).toEqual([])
})

test('a command loads no package that it does not use', async () => {
  const hooks = `export async function resolve(name, context, next) {
    const found = await next(name, context)
    fs.writeSync(2, found.url + '\\n')
    return found
  }`
  const toUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`
  const register = toUrl(
    `import { register } from 'node:module'; register(${JSON.stringify(toUrl(`import fs from 'node:fs'\n${hooks}`))})`,
  )
  const packages = async (...args: string[]): Promise<string[]> => {
    const { stderr } = await muster(args, { env: { NODE_OPTIONS: `--import ${register}` } })
    const names = [...stderr.matchAll(/node_modules\/([^/\s]+)/g)].map(([, name]) => name!)
    return [...new Set(names)].sort()
  }
  expect(await packages('rules', 'schema')).toContain('zod')
  expect(await packages('--help')).toEqual(['commander', 'picocolors'])
  expect(await packages('ps', '--limit', '1')).toEqual(['commander', 'picocolors'])
  expect(await packages('doctor', '--json')).toEqual(['commander', 'picocolors'])
})

test('an addon that is not there is told in a line, with the way to build it', async () => {
  const { code, stderr } = await muster(['ps'], { env: { PROCMUSTER_ADDON: '/nonexistent.node' } })
  expect(code).toBe(1)
  expect(stderr).toMatch(
    /^muster: the addon \/nonexistent\.node is not there: build it with `npm rebuild [^\n]+\n$/,
  )
})

test('completion names the shells that it knows', async () => {
  expect(await muster(['completion'])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/give bash, zsh, fish\n$/),
  })
  expect(await muster(['completion', 'tcsh'])).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/"tcsh"/),
  })
})

test('the configuration file in the help of watch can be copied, and is a right one', async () => {
  const { stdout } = await muster(['watch', '--help'])
  const [, told] = /\nConfiguration file [^\n]*:\n(.*?)\n\n/s.exec(stdout)!
  const directory = await mkdtemp(join(tmpdir(), 'muster-help-'))
  const file = join(directory, 'muster.yaml')
  await writeFile(file, told!.replaceAll(/^ {2}/gm, ''))
  expect(await muster(['rules', 'check', file, '--static'])).toMatchObject({ code: 0, stderr: '' })
  await rm(directory, { recursive: true })
})

test('an unknown command is named with the nearest one', async () => {
  const { code, stderr } = await muster(['wacht'])
  expect(code).toBe(2)
  expect(stderr).toBe("muster: unknown command 'wacht' (Did you mean watch?); see `muster --help`\n")
})

test.each([
  [['jobs', 'attach', '--foo'], "unknown option '--foo'; see `muster jobs attach --help`"],
  [['ps', '--foo'], "unknown option '--foo'; see `muster ps --help`"],
  [
    ['jobs', 'sotp', 'web'],
    'muster jobs has no command "sotp" (did you mean "stop"?); `muster jobs --help` lists them',
  ],
  [['service', 'foo'], 'muster service has no command "foo"; `muster service --help` lists them'],
  [['lsof', '-i'], 'muster has no command "lsof"; see `muster files` and `muster who`'],
  [['kill', '--help'], 'muster has no command "kill"; see `muster signal` and `muster stop`'],
  [
    ['files', '1', '2'],
    "too many arguments for 'files'. Expected 1 argument but got 2; see `muster files --help`",
  ],
  [['find', 'node'], '"node" is no flag of muster find; a name is given with --name "node"'],
  [['jobs', 'clean', 'web'], '"web" is no flag of muster jobs clean; `muster jobs clean --help` lists them'],
])('%j: what is wrong inside a command names the help of that very one', async (args, told) => {
  expect(await muster(args)).toMatchObject({ code: 2, stdout: '', stderr: `muster: ${told}\n` })
})

test('help of a command, also of one inside another; of one that there is not it is a fault', async () => {
  const help = async (...args: string[]) => {
    const { code, stdout, stderr } = await muster(args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout.split('\n', 1)[0]
  }
  expect(await help('help')).toMatch(/^Usage: muster \[options\] \[command\]/)
  expect(await help('help', 'ps')).toMatch(/^Usage: muster ps /)
  expect(await help('help', 'rules', 'check')).toBe('Usage: muster rules check [options] <file>')
  expect(await help('rules', 'help', 'check')).toBe('Usage: muster rules check [options] <file>')
  expect(await muster(['help', 'wacth'])).toMatchObject({
    ...{ code: 2, stdout: '' },
    stderr: 'muster: muster has no command "wacth" (did you mean "watch"?); `muster --help` lists them\n',
  })
  for (const args of [
    ['wacth', '--help'],
    ['help', 'rules', 'chek'],
    ['rules', 'chek', '-h'],
    ['rules', 'help', 'chek'],
  ]) {
    const { code, stdout, stderr } = await muster(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^muster: muster .*has no command .*did you mean "(watch|check)"[^\n]*\n$/)
  }
})

test('without a command the help goes to stderr, as a missing argument', async () => {
  const { code, stdout, stderr } = await muster([])
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain('Usage: muster')
})

test('no colours where stdout is no terminal, whatever the environment says', async () => {
  const { stdout } = await muster(['ps', '--limit', '1'], { env: { FORCE_COLOR: '1', CI: '1' } })
  expect(stdout).not.toContain('\u001b')
})

test('colours and cut lines on a terminal; NO_COLOR is heard', async () => {
  // script(1) gives it a terminal of 60 columns.
  const onTerminal = async (env: Record<string, string>): Promise<string> => {
    const command = `stty cols 60; '${process.execPath}' dist/muster/main.js ps --columns pid,command --limit 3`
    const { stdout } = await run('script', ['-qec', command, '/dev/null'], {
      cwd: root,
      env: { ...process.env, TERM: 'xterm', ...env },
    })
    return stdout
  }
  const colored = await onTerminal({ NO_COLOR: '' })
  expect(colored).toContain('\u001b[1m')
  const plain = await onTerminal({ NO_COLOR: '1' })
  expect(plain).not.toContain('\u001b[1m')
  for (const line of plain.split('\r\n')) expect(line.length).toBeLessThanOrEqual(60)
})

test('the other shells know the values too', async () => {
  expect((await muster(['completion', 'zsh'])).stdout).toMatch(
    /--source\[[^\]]*\]:value:\(auto bpf procfs\)'/,
  )
  expect((await muster(['completion', 'fish'])).stdout).toMatch(
    /__fish_seen_subcommand_from doctor' -l require -x -a '\(__fish_complete_list , [^)]*bpf-source [^)]*pidfd/,
  )
  for (const shell of ['zsh', 'fish']) {
    const { stdout } = await muster(['completion', shell])
    expect(stdout).toMatch(/sort.*-cpuPercent /)
    expect(stdout).toMatch(/columns.*cpuPercent /)
    expect(stdout).toMatch(/state.* D T t Z/)
    expect(stdout).toMatch(/[('"]HUP INT /)
    expect(stdout).toMatch(/attach.*_muster_jobs/)
  }
})

const shells = ['fish', 'zsh'].filter((shell) => spawnSync(shell, ['-c', 'true']).status === 0)
for (const shell of ['fish', 'zsh']) {
  if (!shells.includes(shell)) console.warn(`SKIPPED, the completion in a real ${shell}: it is not installed`)
}

test.runIf(shells.includes('fish'))('fish completes values that begin with a dash', async () => {
  const { stdout: script } = await muster(['completion', 'fish'])
  const complete = async (line: string): Promise<string[]> => {
    const { stdout } = await run('fish', ['--no-config', '-c', `${script}\ncomplete -C '${line}'`])
    return stdout.trimEnd().split('\n')
  }
  const columns = ['rss', 'rssAnonBytes', 'rssBytes', 'rssFileBytes', 'rssShmemBytes']
  for (const flags of ['ps --sort', 'ps -s', 'top --sort']) {
    expect(await complete(`muster ${flags} rss`)).toEqual(columns)
    expect(await complete(`muster ${flags} -rss`)).toEqual(columns.map((column) => `-${column}`))
  }
  expect((await complete('muster ps --sort=-rssB')).map((line) => line.split('\t')[0])).toEqual([
    '--sort=-rssBytes',
  ])
  expect((await complete('muster ps --sort -rss --lim')).map((line) => line.split('\t')[0])).toEqual([
    '--limit',
  ])
  expect(await complete('muster help doc')).toEqual(['doctor'])
})

test.runIf(shells.includes('zsh'))('zsh reads its completion', async () => {
  const { stdout: script } = await muster(['completion', 'zsh'])
  const { stdout } = await run('zsh', ['-f', '-c', `compdef() { print $1 $2 }\n${script}`])
  expect(stdout).toBe('_muster muster\n')
})

test('the bash completion offers commands, flags and files', async () => {
  const { stdout: script } = await muster(['completion', 'bash'])
  const complete = async (...words: string[]): Promise<string[]> => {
    const list = words.map((word) => `'${word}'`).join(' ')
    const { stdout } = await run(
      'bash',
      [
        '-c',
        `${script}\nCOMP_WORDS=(muster ${list}); COMP_CWORD=${words.length}; _muster; printf '%s\\n' "\${COMPREPLY[@]}"`,
      ],
      { cwd: root },
    )
    return stdout.trim().split('\n')
  }
  expect(await complete('wa')).toEqual(['watch'])
  expect(await complete('watch', '--thr')).toEqual(['--threshold'])
  expect(await complete('ps', '--mi')).toEqual(['--min-cpu', '--min-memory'])
  expect(await complete('completion', 'f')).toEqual(['fish'])
  expect(await complete('do')).toEqual(['doctor'])
  expect(await complete('help', 'doc')).toEqual(['doctor'])
  expect(await complete('events', '--fa')).toEqual(['--failed'])
  expect(await complete('events', '--source', '')).toEqual(['auto', 'bpf', 'netlink', 'snapshots'])
  expect(await complete('events', '-t', 'ex')).toEqual(['exec', 'exit'])
  expect(await complete('ps', '--source', 'b')).toEqual(['bpf'])
  expect(await complete('watch', '--source', 'p')).toEqual(['procfs'])
  expect(await complete('doctor', '--require', 'pidf')).toEqual(['pidfd', 'pidfs-inode'])
  expect(await complete('watch', '--config', 'READ')).toEqual(['README.md'])
  expect(await complete('ps', '--sort', '-cpuP')).toEqual(['-cpuPercent'])
  expect(await complete('ps', '--columns', 'pid,cpuP')).toEqual(['pid,cpuPercent'])
  expect(await complete('ps', '--state', 'R,Z')).toEqual(['R,Z'])
  expect(await complete('signal', 'HU')).toEqual(['HUP'])
  expect(await complete('stop', '--signal', 'SIGHU')).toEqual(['SIGHUP'])
  expect(await complete('rules', 'ch')).toEqual(['check'])
  expect(await complete('rules', 'check', 'READ')).toEqual(['README.md'])
  expect(await complete('jobs', 'stop', '--gr')).toEqual(['--grace'])
  const state = await mkdtemp(join(tmpdir(), 'muster-completion-'))
  await mkdir(join(state, 'muster/jobs'), { recursive: true })
  for (const name of ['web', 'worker']) await writeFile(join(state, `muster/jobs/${name}.json`), '{}')
  vi.stubEnv('XDG_STATE_HOME', state)
  expect(await complete('jobs', 'attach', 'w')).toEqual(['web', 'worker'])
  expect(await complete('jobs', 'stop', 'web', 'wo')).toEqual(['worker'])
  vi.unstubAllEnvs()
  await rm(state, { recursive: true })
})
