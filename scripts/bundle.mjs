// Joins the modules of `muster` (dist/cli and what it imports) into dist/muster: a start then reads some twenty files, not
// seventy. What other packages export stays theirs.
import { chmodSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const root = fileURLToPath(new URL('..', import.meta.url))
const bundle = await rolldown({
  input: `${root}dist/cli/main.js`,
  platform: 'node',
  external: (id) => /^[^./]/.test(id) || id.endsWith('/package_files.js'),
})
await bundle.write({
  dir: `${root}dist/muster`,
  format: 'esm',
  cleanDir: true,
  // What most commands need is one file.
  codeSplitting: { groups: [{ name: 'base', minShareCount: 20 }] },
})
chmodSync(`${root}dist/muster/main.js`, 0o755)
