// The kernel programs: makes native/bpf/generated/NAME.h of every native/**/NAME.bpf.c, with clang and bpftool. A header
// that was made of the same sources is kept, so that the npm package, which carries them, needs neither.
//   node scripts/bpf.mjs            prints 1 when all headers are there, else 0, and on stderr why
// With PROCMUSTER_BPF=off it prints 0; with PROCMUSTER_BPF=required it fails where it would print 0.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const native = fileURLToPath(new URL('../native', import.meta.url))
const generated = join(native, 'bpf/generated')

function programs(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return programs(path)
    return entry.name.endsWith('.bpf.c') ? [path] : []
  })
}

/** The text of a source and of all that it includes from native/. */
function sourceText(path, seen = new Set()) {
  if (seen.has(path)) return ''
  seen.add(path)
  const text = readFileSync(path, 'utf8')
  const included = [...text.matchAll(/^#include "(.*)"$/gm)].map((match) => join(native, match[1]))
  return text + included.map((file) => sourceText(file, seen)).join('')
}

function run(command, args) {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    // Debian keeps bpftool where an ordinary user's PATH does not lead.
    env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
  })
  if (error)
    throw new Error(error.code === 'ENOENT' ? `there is no ${command}` : `${command}: ${error.message}`)
  if (status !== 0) throw new Error(`${command} failed (${status ?? signal}): ${stderr.trim()}`)
  return stdout
}

function make(source, header, stamp) {
  const name = basename(source, '.bpf.c')
  const folder = mkdtempSync(join(tmpdir(), 'procmuster-bpf-'))
  try {
    const object = join(folder, `${name}.bpf.o`)
    // The same for x64 and arm64: both are little-endian, and field offsets are found when the program is loaded.
    const options = [
      '-target',
      'bpfel',
      '-mcpu=v3',
      '-O2',
      '-g',
      '-Wall',
      '-Werror',
      `-ffile-prefix-map=${native}=.`,
    ]
    run('clang', [...options, '-I', native, '-c', source, '-o', object])
    const skeleton = run('bpftool', ['gen', 'skeleton', '-L', object, 'name', name])
    mkdirSync(generated, { recursive: true })
    // Whole or not at all: its stamp is its first line, and another build may read it.
    const unfinished = `${header}.${process.pid}`
    writeFileSync(unfinished, `${stamp}\n${skeleton}`)
    renameSync(unfinished, header)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function headersMade() {
  for (const source of programs(native)) {
    const header = join(generated, `${basename(source, '.bpf.c')}.h`)
    const stamp = `// sources: ${createHash('sha256').update(sourceText(source)).digest('hex')}`
    if (existsSync(header) && readFileSync(header, 'utf8').startsWith(stamp)) continue
    try {
      make(source, header, stamp)
    } catch (error) {
      const words = `procmuster is built without its bpf source and bpf events: ${error.message}`
      if (process.env.PROCMUSTER_BPF === 'required') throw new Error(words)
      console.error(
        `${words} (to have them: apt-get install clang bpftool, then npm rebuild procmuster; in a clone of it npm ci)`,
      )
      return false
    }
  }
  return true
}

try {
  console.log(process.env.PROCMUSTER_BPF !== 'off' && headersMade() ? 1 : 0)
} catch (error) {
  console.error(error.message)
  process.exit(1)
}
