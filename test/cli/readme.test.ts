import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = new URL('../../', import.meta.url)
const names = (await readdir(new URL('docs/', root))).filter((name) => name.endsWith('.md'))
const pages = await Promise.all(
  ['README.md', ...names.map((name) => `docs/${name}`)].map(async (path) => ({
    path,
    text: await readFile(new URL(path, root), 'utf8'),
  })),
)
const snippets = pages.flatMap(({ path, text }) =>
  [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code], index) => ({
    name: `${index + 1} of ${path}`,
    code: code!,
  })),
)

// They import the package by its name, which resolves below its own root; what they write goes there too.
test.each(snippets)('snippet $name runs', async ({ code }) => {
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
})

test('the snippets are right TypeScript too', async () => {
  const directory = await mkdtemp(fileURLToPath(new URL('build/readme-', root)))
  try {
    const files = snippets.map((_, index) => join(directory, `snippet${index}.mts`))
    await Promise.all(files.map((file, index) => writeFile(file, snippets[index]!.code)))
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

test('README and docs/api.md have the snippets', () => {
  const count = (path: string) => snippets.filter(({ name }) => name.endsWith(` of ${path}`)).length
  expect([count('README.md'), count('docs/api.md')]).toEqual([2, 7])
})

test('docs/api.md has every entry of the package', async () => {
  const { text } = pages.find(({ path }) => path === 'docs/api.md')!
  const entries = [...text.matchAll(/^\| `procmuster\/(\w+)`/gm)].map(([, entry]) => entry!)
  const files = await readdir(new URL('src/public/', root))
  expect(entries.sort()).toEqual(files.map((file) => file.replace('.ts', '')).sort())
})

test.each(pages)('the links of $path lead to files and headings that are there', async ({ path, text }) => {
  const links = [...text.matchAll(/\]\(((?!\w+:)[^)\s]+)\)/g)].map(([, link]) => link!)
  for (const link of links) {
    const url = new URL(link, new URL(path, root))
    const target = await readFile(url, 'utf8')
    const anchors = [...target.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!))
    if (url.hash !== '') expect(anchors, link).toContain(url.hash.slice(1))
  }
})

/** As GitHub makes it of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
}
