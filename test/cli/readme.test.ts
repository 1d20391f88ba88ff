import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = new URL('../../', import.meta.url)
const snippets = [
  ...(await readFile(new URL('README.md', root), 'utf8')).matchAll(/^```js\n(.*?)^```$/gms),
].map(([, code]) => code!)

// They import the package by its name, which resolves below its own root; what they write goes there too.
test.each(snippets.map((code, index) => [index + 1, code] as const))(
  'snippet %i of README runs',
  async (_, code) => {
    const directory = await mkdtemp(fileURLToPath(new URL('build/readme-', root)))
    try {
      const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
        cwd: directory,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let errors = ''
      child.stderr.on('data', (chunk) => {
        errors += chunk
      })
      child.stdout.resume()
      const [exitCode] = await once(child, 'close')
      expect({ exitCode, errors }).toEqual({ exitCode: 0, errors: '' })
    } finally {
      await rm(directory, { recursive: true })
    }
  },
)

test('README has the snippets', () => {
  expect(snippets).toHaveLength(3)
})
