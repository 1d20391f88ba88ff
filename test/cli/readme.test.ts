import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
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
      let output = ''
      child.stdout.on('data', (chunk) => {
        output += chunk
      })
      const [exitCode] = await once(child, 'close')
      expect({ exitCode, errors }).toEqual({ exitCode: 0, errors: '' })
      if (code.includes('// PROCESS_GONE')) expect(output).toMatch(/^PROCESS_GONE$/m)
    } finally {
      await rm(directory, { recursive: true })
    }
  },
)

test('the snippets of README are right TypeScript too', async () => {
  const directory = await mkdtemp(fileURLToPath(new URL('build/readme-', root)))
  try {
    const files = snippets.map((_, index) => join(directory, `snippet${index}.mts`))
    await Promise.all(files.map((file, index) => writeFile(file, snippets[index]!)))
    const tsc = fileURLToPath(new URL('node_modules/typescript/bin/tsc', root))
    const flags = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022', '--types', 'node']
    const child = spawn(process.execPath, [tsc, ...flags, ...files], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    await once(child, 'close')
    expect(output).toBe('')
  } finally {
    await rm(directory, { recursive: true })
  }
}, 180_000)

test('README has the snippets', () => {
  expect(snippets).toHaveLength(7)
})
