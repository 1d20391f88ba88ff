import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { generateUnit, generateWatchUnit, unitName, unitOfProcess } from '../../dist/index.js'
import { parseUnitList } from '../../dist/services/list.js'
import { parseStatus } from '../../dist/services/status.js'
import { statLine } from '../fixtures/stat_line.js'

const linesOf = (text: string, name: string): string[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${name}=`))
    .map((line) => line.slice(name.length + 1))

/** What systemd.syntax(7), systemd.unit(5) and systemd.service(5) say becomes of a line of words, written anew. */
function wordsOf(line: string): string[] {
  const words: string[] = []
  for (const [, quotedWord, plain] of line.matchAll(/(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))(?:\s|$)/g)) {
    words.push(quotedWord === undefined ? plain! : quotedWord.replace(/\\(.)/g, '$1'))
  }
  return words
}
const undoubled = (word: string, mark: string): string => {
  expect(word.split(mark + mark).join('')).not.toContain(mark)
  return word.replaceAll(mark + mark, mark)
}

const text = fc.string({ unit: 'grapheme' }).filter((each) => !/[\p{Cc}\p{Cs}]/u.test(each))

describe('a unit for a program', () => {
  test('its arguments come back as they were, whatever is in them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(text, fc.string({ unit: fc.constantFrom(...'"\\$%\'; {}a') }))),
        (args) => {
          const [line, ...more] = linesOf(generateUnit({ program: '/bin/x y', args }), 'ExecStart')
          expect(more).toEqual([])
          const [program, ...words] = wordsOf(line!)
          expect(program).toBe('/bin/x y')
          expect(words.map((word) => undoubled(undoubled(word, '$'), '%'))).toEqual(args)
        },
      ),
    )
  })

  test('no text makes a line of its own', () => {
    const plain = generateUnit({ program: '/bin/x', args: [''], environment: { A: '' } }).split('\n').length
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (any) => {
        try {
          const made = generateUnit({ program: '/bin/x', args: [any], environment: { A: any } })
          expect(made.split('\n')).toHaveLength(plain)
          expect(any).not.toMatch(/\p{Cc}/u)
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
          expect(any).toMatch(/[\p{Cc}\p{Cs}]/u)
        }
      }),
    )
  })

  test('variables keep their $, and lose no %', () => {
    const [line] = linesOf(generateUnit({ program: '/x', environment: { A: 'a "b" $c %d' } }), 'Environment')
    expect(line).toBe('"A=a \\"b\\" $c %%d"')
  })

  test('it is bounded and hardened', () => {
    const unit = generateUnit({
      program: '/usr/bin/node',
      args: ['/srv/web/main.js'],
      user: 'www-data',
      memoryMax: 536_870_912,
      cpuQuotaPercent: 50,
      tasksMax: 64,
      restart: 'always',
      capabilities: ['CAP_NET_BIND_SERVICE'],
      writablePaths: ['/srv/web/data'],
    })
    for (const line of [
      'ExecStart=/usr/bin/node /srv/web/main.js',
      'User=www-data',
      'MemoryMax=536870912',
      'CPUQuota=50%',
      'TasksMax=64',
      'Restart=always',
      'StartLimitBurst=5',
      'NoNewPrivileges=yes',
      'ProtectSystem=strict',
      'ProtectHome=yes',
      'PrivateTmp=yes',
      'CapabilityBoundingSet=CAP_NET_BIND_SERVICE',
      'AmbientCapabilities=CAP_NET_BIND_SERVICE',
      'ReadWritePaths=/srv/web/data',
    ]) {
      expect(unit.split('\n')).toContain(line)
    }
    expect(linesOf(generateUnit({ program: '/x' }), 'CapabilityBoundingSet')).toEqual([''])
  })

  test.each([
    [{ program: 'node' }, 'INVALID_ARGUMENT', /absolute/],
    [{ program: '/a/../b' }, 'INVALID_ARGUMENT', /\.\./],
    [{ program: '/a$b' }, 'INVALID_ARGUMENT', /link/],
    [{ program: '/a\nExecStartPre=/bin/evil' }, 'INVALID_ARGUMENT', /line break/],
    [{ program: '/a', description: 'a\n[Service]' }, 'INVALID_ARGUMENT', /line break/],
    [{ program: '/a', description: 'a\\' }, 'INVALID_ARGUMENT', /backslash/],
    [{ program: '/a', workingDirectory: 'b' }, 'INVALID_ARGUMENT', /absolute/],
    [{ program: '/a', user: 'a b' }, 'INVALID_ARGUMENT', /account/],
    [{ program: '/a', environment: { 'A B': '' } }, 'INVALID_ARGUMENT', /variable/],
    [{ program: '/a', capabilities: ['NET'] }, 'INVALID_ARGUMENT', /capability/],
    [{ program: '/a', stateDirectory: '../x' }, 'INVALID_ARGUMENT', /plain name/],
    [{ program: '/a', restart: 'often' }, 'INVALID_ARGUMENT', /on-failure/],
    [{ program: '/a', home: 'none' }, 'INVALID_ARGUMENT', /read-only/],
    [{ program: '/a', memoryMax: 0 }, 'OUT_OF_RANGE', /memoryMax 0/],
    [{ program: '/a', startLimitBurst: 1.5 }, 'OUT_OF_RANGE', /startLimitBurst/],
    [{ program: '/a', args: ['x'.repeat(2 ** 20)] }, 'INVALID_ARGUMENT', /longer/],
  ])('%j is refused', (spec, code, message) => {
    const make = () => generateUnit(spec as unknown as Parameters<typeof generateUnit>[0])
    expect(make).toThrow(message)
    expect(make).toThrow(expect.objectContaining({ code }))
  })
})

test('a unit for the watch keeps what restarts need only where they are wanted', () => {
  const hardened = generateWatchUnit({ config: '/etc/muster.yaml', writablePaths: ['/var/log/muster'] })
  expect(linesOf(hardened, 'ExecStart')[0]).toMatch(
    / watch --config \/etc\/muster\.yaml --directory \/var\/lib\/muster$/,
  )
  expect(hardened).toMatch(/^ReadWritePaths=\/var\/log\/muster$/m)
  expect(hardened).toMatch(/^CapabilityBoundingSet=CAP_BPF .*CAP_SYS_PTRACE/m)
  expect(hardened).toMatch(/^NoNewPrivileges=yes$/m)
  expect(hardened).toMatch(/^SuccessExitStatus=143$/m)
  const restarting = generateWatchUnit({ config: '/etc/muster.yaml', restarts: true })
  expect(restarting).toMatch(/^KillMode=process$/m)
  expect(restarting).not.toMatch(/^(?:Protect|Private|Restrict|NoNew|Capability|ReadWrite)/m)
  expect(() => generateWatchUnit({ config: 'muster.yaml' })).toThrow(/absolute/)
})

test.each([
  ['nginx', 'nginx.service'],
  ['nginx.service', 'nginx.service'],
  ['a.b', 'a.b.service'],
  ['backup.timer', 'backup.timer'],
  ['getty@tty1', 'getty@tty1.service'],
  ['-.mount', '-.mount'],
  ['dev-disk-by\\x2duuid.swap', 'dev-disk-by\\x2duuid.swap'],
])('the unit %s is %s', (word, name) => {
  expect(unitName(word)).toBe(name)
})

test('names have no way to become options, patterns or lines', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (word) => {
      let name: string
      try {
        name = unitName(word)
      } catch (error) {
        expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
        return
      }
      expect(name).toMatch(/^(?:-\.\w+|[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\@-]*)$/)
    }),
  )
})

describe('what systemctl prints', () => {
  test('a status', () => {
    const printed = [
      'MainPID=74',
      'NRestarts=2',
      'ExecMainCode=2',
      'ExecMainStatus=9',
      'MemoryCurrent=253952',
      'TasksCurrent=[not set]',
      'Id=a.service',
      'Description=[unprintable]',
      'LoadState=loaded',
      'ActiveState=failed',
      'SubState=failed',
      'Result=oom-kill',
      'FragmentPath=',
      'UnitFileState=',
      'StateChangeTimestampMonotonic=1000000',
      'NeedDaemonReload=yes',
    ].join('\n')
    expect(parseStatus(printed, { nowMs: 5000, monotonicUs: 3_000_000 })).toEqual({
      unit: 'a.service',
      description: undefined,
      loadState: 'loaded',
      activeState: 'failed',
      subState: 'failed',
      unitFileState: undefined,
      path: undefined,
      mainPid: 74,
      tasks: undefined,
      memoryBytes: 253_952,
      restarts: 2,
      sinceMs: 3000,
      result: 'oom-kill',
      exitCode: undefined,
      signal: 9,
      cgroup: undefined,
      needsReload: true,
    })
    const uncounted = printed.replace('253952', '18446744073709551615').replace('MainPID=74', 'MainPID=0')
    expect(parseStatus(uncounted, { nowMs: 0, monotonicUs: 0 })).toMatchObject({
      memoryBytes: undefined,
      mainPid: undefined,
    })
  })

  test('a list, whatever a description holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (description) => {
        const entry = { unit: 'a.service', load: 'loaded', active: 'active', sub: 'running', description }
        expect(parseUnitList(JSON.stringify([entry]))).toEqual([
          { unit: 'a.service', loadState: 'loaded', activeState: 'active', subState: 'running', description },
        ])
      }),
    )
  })

  test('anything else is an error of ours', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (any) => {
        for (const parse of [
          parseUnitList,
          (printed: string) => parseStatus(printed, { nowMs: 0, monotonicUs: 0 }),
        ]) {
          try {
            expect(parse(any)).toEqual([])
          } catch (error) {
            expect(['UNSUPPORTED', 'IO_ERROR']).toContain((error as { code?: string }).code)
          }
        }
      }),
    )
  })
})

describe('the unit of a process', () => {
  test.each([
    ['0::/system.slice/web.service', { unit: 'web.service', uid: undefined }],
    [
      '0::/user.slice/user-1000.slice/user@1000.service/app.slice/editor.scope',
      { unit: 'editor.scope', uid: 1000 },
    ],
    ['0::/user.slice/user-1000.slice/user@1000.service/init.scope', { unit: 'init.scope', uid: 1000 }],
    ['0::/user.slice/user-1000.slice/user@1000.service', { unit: 'user@1000.service', uid: undefined }],
    ['0::/', undefined],
  ])('%s', async (cgroup, unit) => {
    const procRoot = await mkdtemp(join(tmpdir(), 'procmuster-unit-'))
    try {
      await mkdir(join(procRoot, '42'))
      await writeFile(join(procRoot, '42', 'cgroup'), `${cgroup}\n`)
      await writeFile(join(procRoot, '42', 'stat'), statLine(42, 100))
      expect(await unitOfProcess({ pid: 42, startTicks: 100 }, { procRoot })).toEqual(unit)
    } finally {
      await rm(procRoot, { recursive: true })
    }
  })
})
