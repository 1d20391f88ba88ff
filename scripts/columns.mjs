// Writes src/table/columns.ts from the addon's layout (native/table/layout.h). `--check` only compares.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const { layout } = createRequire(import.meta.url)('../build/Release/procmuster.node')
const target = new URL('../src/table/columns.ts', import.meta.url)

const quote = (text) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
const rows = layout.columns.map(
  (column) =>
    `  {\n    name: ${quote(column.name)},\n    type: ${quote(column.type)},\n    unit: ${quote(column.unit)},\n` +
    `    group: ${quote(column.group)},\n    description: ${quote(column.description)},\n  },`,
)
const text = `// Written by scripts/columns.mjs from native/table/layout.h; edit that file, then \`npm run build:columns\`.
// biome-ignore-all format: generated

/** Every column of the process table, by id. */
export const COLUMNS = [
${rows.join('\n')}
] as const

/** Cells of a table buffer's header, in order; each a Float64. */
export const HEADER = [${layout.header.map(quote).join(', ')}] as const

/** Bytes kept of a process name, zero-padded. */
export const NAME_BYTES = ${layout.nameBytes}

/** 32-bit words of missing marks per slot; column id c is bit c % 32 of word c / 32. */
export const MISSING_WORDS = ${layout.missingWords}
`
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    console.error('src/table/columns.ts differs from native/table/layout.h: run npm run build:columns')
    process.exit(1)
  }
} else writeFileSync(target, text)
