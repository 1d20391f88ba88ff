// Developer builds of the native code and the tests on them; binding.gyp is the build that users get.
//   node scripts/native.mjs build plain|address|thread|fuzz
//   node scripts/native.mjs unit  plain|address|thread       native unit tests
//   node scripts/native.mjs test  address|thread [files...]  the addon's tests with that build of it
//   node scripts/native.mjs fuzz  [seconds each] [target]
//   node scripts/native.mjs arm64                            compiles what knows nothing of Node for arm64
// Any report of a sanitizer, of whichever process, fails the run.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BuildSystem } from 'cmake-js'

const root = fileURLToPath(new URL('..', import.meta.url)).slice(0, -1)
const flavours = {
  plain: { out: 'build-native', cmake: {} },
  // Both at once, for they go together, and the tests of the addon take minutes.
  address: { out: 'build-asan', cmake: { PROCMUSTER_SANITIZER: 'address,undefined' }, runtime: 'libasan.so' },
  thread: { out: 'build-tsan', cmake: { PROCMUSTER_SANITIZER: 'thread' }, runtime: 'libtsan.so' },
  fuzz: { out: 'build-fuzz', cmake: { PROCMUSTER_FUZZ: 'ON' }, compilers: ['clang', 'clang++'] },
}

// Without randomised addresses: the thread sanitizer's shadow memory does not fit every layout of newer kernels.
const fixedAddresses = ['setarch', process.arch === 'arm64' ? 'aarch64' : 'x86_64', '-R']

function fail(message) {
  console.error(message)
  process.exit(1)
}

function flavour(name) {
  return flavours[name] ?? fail(`no such build: ${name}; there are ${Object.keys(flavours).join(', ')}`)
}

async function build({ out, cmake, compilers = ['gcc', 'g++'] }) {
  const system = new BuildSystem({
    directory: `${root}/native`,
    out: `${root}/${out}`,
    config: 'Release',
    generator: 'Unix Makefiles',
    parallel: String(cpus().length),
    cMakeOptions: { ...cmake, CMAKE_C_COMPILER: compilers[0], CMAKE_CXX_COMPILER: compilers[1] },
    logLevel: 'warn',
  })
  // cmake-js looks for this in a package.json beside CMakeLists.txt. With it, it takes the headers of Node-API from
  // its own dependency; without it, it downloads those of Node.
  system.options.isNodeApi = true
  await system.build()
}

const OUR_FRAME = /\((procmuster\.node|unit_tests)\+/
const DESCRIPTOR_CALL = /^ *#0 (close|open|open64|pipe2?|epoll_create1?|eventfd|socket|socketpair|dup[23]?) /m
const LIBRARY_FRAME = /\((libtsan|libc|libstdc\+\+|libpthread)\.so/

/** Runs a program with the sanitizers told to write reports into a folder; fails if one is there after it. How it ended. */
function guarded({ out }, commandLine, env, { leaks = false } = {}) {
  const folder = `${root}/${out}/reports`
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, 0o1777) // some tests run parts of themselves as another user
  const log = `log_path=${folder}/report`
  const { status, signal } = spawnSync(fixedAddresses[0], [...fixedAddresses.slice(1), ...commandLine], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      ASAN_OPTIONS: `${log}:halt_on_error=1:detect_leaks=${leaks ? 1 : 0}`,
      UBSAN_OPTIONS: `${log}:halt_on_error=1:print_stacktrace=1`,
      TSAN_OPTIONS: `${log}:halt_on_error=0:exitcode=0:atexit_sleep_ms=0`,
      ...env,
    },
  })
  const reports = readdirSync(folder).flatMap((name) => ours(readFileSync(`${folder}/${name}`, 'utf8')))
  if (reports.length > 0)
    fail(`${reports.join('\n')}\n${reports.length} sanitizer reports; see ${out}/reports`)
  return status ?? signal
}

/**
 * The reports of one file that count: all, but of the thread sanitizer's only those where one of the two accesses is
 * ours, that is made by the addon or the unit tests, directly or through libc. Node is not built for that sanitizer, so
 * that its own synchronisation is invisible. Nor do reports on descriptor numbers count: the sanitizer knows neither
 * openat nor that scan threads keep descriptor tables of their own, where the same number is another file.
 */
function ours(text) {
  if (!text.includes('WARNING: ThreadSanitizer')) return text.trim() === '' ? [] : [text]
  return text.split('==================').filter((report) => {
    if (/DEADLYSIGNAL|FATAL|CHECK failed/.test(report)) return true
    if (report.trim() === '' || report.includes('Location is file descriptor')) return false
    const accesses = report
      .split('\n\n')
      .filter((part) => /^ *(Previous )?(atomic )?(read|write) of/im.test(part))
    // Of higher numbers it does not say that they are descriptors, and of an access some time ago it may not know the stack.
    const isOfDescriptor = (part) =>
      DESCRIPTOR_CALL.test(part) || part.includes('[failed to restore the stack]')
    if (accesses.some((part) => DESCRIPTOR_CALL.test(part)) && accesses.every(isOfDescriptor)) return false
    // A race has accesses; another kind (a lock's misuse, a leaked thread) is ours if any frame is.
    if (accesses.length === 0) return OUR_FRAME.test(report)
    return accesses.some((part) => {
      const frames = part.split('\n').filter((line) => /^ *#\d+ /.test(line))
      return OUR_FRAME.test(frames.find((line) => !LIBRARY_FRAME.test(line)) ?? '')
    })
  })
}

async function unit(chosen, name) {
  await build(chosen)
  const result = `--gtest_output=json:${root}/${chosen.out}/unit.json`
  const commandLine = [...fixedAddresses, `./${chosen.out}/unit_tests`, '--gtest_brief=1', result]
  // They are live tests too: as often as vitest.config.ts tries those.
  for (let tries = process.env.CI ? 2 : 1, ended; ended !== 0; tries--) {
    if (tries === 0) fail(`${commandLine.join(' ')} ended with ${ended}`)
    ended = guarded(chosen, commandLine, {}, { leaks: true })
  }
  console.log(`native unit tests passed (${name})`)
}

async function test(chosen, name, files) {
  if (!chosen.runtime) fail(`the addon's tests run under address or thread, not ${name}`)
  await build(chosen)
  const runtime = execFileSync('gcc', [`-print-file-name=${chosen.runtime}`], { encoding: 'utf8' }).trim()
  const wrapper = `${root}/${chosen.out}/bin/node`
  mkdirSync(dirname(wrapper), { recursive: true })
  writeFileSync(wrapper, `#!/bin/sh\nLD_PRELOAD='${runtime}' exec '${process.execPath}' "$@"\n`, {
    mode: 0o755,
  })
  const report = [
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${root}/${chosen.out}/vitest.json`,
  ]
  const config = ['--config', 'vitest.sanitizer.config.ts']
  const ended = guarded(chosen, ['npx', 'vitest', 'run', ...config, ...report, ...files], {
    PROCMUSTER_ADDON: `${root}/${chosen.out}/Release/procmuster.node`,
    PROCMUSTER_SANITIZER_RUNTIME: runtime,
    PROCMUSTER_SANITIZER_NODE: wrapper,
    PROCMUSTER_SANITIZER: name,
  })
  if (ended !== 0) fail(`the addon's tests ended with ${ended} (${name})`)
  console.log(`tests of the addon passed (${name})`)
}

async function fuzz(seconds, only) {
  await build(flavours.fuzz)
  const targets = readdirSync('native/fuzz')
    .filter((name) => name.endsWith('_fuzz.cc'))
    .map((name) => name.slice(0, -'.cc'.length))
    .filter((name) => !only || name === only || name === `${only}_fuzz`)
  if (targets.length === 0) fail(`no fuzz target ${only}`)
  for (const target of targets) {
    const corpus = `build-fuzz/corpus/${target}`
    mkdirSync(corpus, { recursive: true })
    const seeds = `native/fuzz/seeds/${target}`
    const folders = existsSync(seeds) ? [corpus, seeds] : [corpus]
    const limits = [`-max_total_time=${seconds}`, '-max_len=4096', '-timeout=5', '-rss_limit_mb=1024']
    const { status, stderr } = spawnSync(
      `./build-fuzz/${target}`,
      [
        ...limits,
        '-print_final_stats=1',
        '-verbosity=0',
        `-artifact_prefix=build-fuzz/${target}-`,
        ...folders,
      ],
      { stdio: ['ignore', 'inherit', 'pipe'], encoding: 'utf8', maxBuffer: 2 ** 28 },
    )
    if (status !== 0) fail(`${stderr}\n${target} found something; the input is build-fuzz/${target}-*`)
    const runs = /number_of_executed_units: (\d+)/.exec(stderr)?.[1]
    console.log(`${target}: ${runs} inputs in ${seconds} s, nothing found`)
  }
}

/** Nothing is linked or run: it is the compiler's word that types, system calls and headers fit. */
async function arm64() {
  const made = spawnSync(process.execPath, ['scripts/bpf.mjs'], { encoding: 'utf8', stdio: 'pipe' })
  const sources = readFileSync('native/sources.txt', 'utf8')
    .split('\n')
    .filter((line) => /\.cc?$/.test(line) && !/(addon|_binding)\.cc$/.test(line))
  const options = ['-fsyntax-only', '-Wall', '-Wextra', '-Wno-unused-parameter', '-Werror', '-I', 'native']
  options.push('-I', 'native/bpf/skeleton', `-DPROCMUSTER_BPF=${made.stdout.trim()}`)
  const failed = []
  const compile = async (source) => {
    const [compiler, standard] = source.endsWith('.cc')
      ? ['g++', ['-std=c++20', '-fno-exceptions']]
      : ['gcc', []]
    const child = spawn(`aarch64-linux-gnu-${compiler}`, [...standard, ...options, source], {
      stdio: 'inherit',
    })
    const code = await new Promise((resolve) => child.on('error', resolve).on('close', resolve))
    if (code !== 0) failed.push(`${source} (${code})`)
  }
  const left = [...sources]
  await Promise.all(
    cpus().map(async () => {
      while (left.length > 0) await compile(left.shift())
    }),
  )
  if (failed.length > 0) fail(`for arm64 these do not compile: ${failed.join(', ')}`)
  console.log(
    `${sources.length} sources compile for arm64, the kernel programs ${made.stdout.trim() === '1' ? 'included' : 'left out'}`,
  )
}

const [command, ...args] = process.argv.slice(2)
process.chdir(root)
if (command === 'build') await build(flavour(args[0]))
else if (command === 'unit') await unit(flavour(args[0] ?? 'plain'), args[0] ?? 'plain')
else if (command === 'test') await test(flavour(args[0]), args[0], args.slice(1))
else if (command === 'fuzz') await fuzz(Number(args[0] ?? 10), args[1])
else if (command === 'arm64') await arm64()
else fail('usage: node scripts/native.mjs build|unit|test|fuzz|arm64 ...')
