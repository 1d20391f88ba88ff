import { execFileSync, spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { EXIT_MEANINGS } from '../../dist/cli/exit_codes.js'
import { createProgram } from '../../dist/cli/program.js'

const page = fileURLToPath(new URL('../../docs/man/muster.1', import.meta.url))
const script = fileURLToPath(new URL('../../scripts/man.mjs', import.meta.url))
const has = (program: string) => spawnSync(program, ['--help']).error === undefined
if (!has('mandoc')) console.warn('SKIPPED: the man page as mandoc reads it: needs the package mandoc')
if (!has('groff')) console.warn('SKIPPED: the man page as man shows it: needs the packages man-db and groff')

test('the man page is that of the commands as they are; `npm run build:man` writes it anew', async () => {
  const env = { ...process.env, COLUMNS: '40', LANG: 'de_DE.UTF-8' }
  expect(execFileSync(process.execPath, [script], { encoding: 'utf8', env })).toBe(
    await readFile(page, 'utf8'),
  )
})

test.runIf(has('mandoc'))(
  'mandoc has no complaint, and shows every command, flag and exit code',
  async () => {
    expect(spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', page], { encoding: 'utf8' })).toMatchObject({
      status: 0,
      stdout: '',
      stderr: '',
    })
    const text = execFileSync('mandoc', ['-T', 'utf8', '-O', 'width=78', page], { encoding: 'utf8' })
      .replaceAll(new RegExp(`.${String.fromCharCode(8)}`, 'g'), '') // bold and underlined, as for a printer
      .replaceAll(/\s+/g, ' ')
    const program = await createProgram()
    const commands = (command: Command, words: string): [Command, string][] => [
      [command, words],
      ...command.commands
        .filter((each) => each.name() !== 'help')
        .flatMap((each) => commands(each, `${words} ${each.name()}`)),
    ]
    for (const [command, words] of commands(program, 'muster')) {
      expect(text).toContain(words)
      for (const { flags } of command.options.filter(({ hidden }) => !hidden))
        expect(text, words).toContain(flags)
    }
    for (const [code, meaning] of EXIT_MEANINGS) expect(text).toContain(`${code} ${meaning}`)
  },
)

test.runIf(has('groff') && has('man'))('man has no complaint', () => {
  const { status, stderr } = spawnSync('man', ['--warnings', '-l', page], {
    encoding: 'utf8',
    env: { ...process.env, MANWIDTH: '80', LC_ALL: 'C.UTF-8', PAGER: 'cat' },
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})
