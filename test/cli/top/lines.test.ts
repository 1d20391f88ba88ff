import pc from 'picocolors'
import { expect, test } from 'vitest'
import { fieldNamed } from '../../../dist/cli/ps/fields.js'
import { cellWidth } from '../../../dist/cli/terminal.js'
import { bar, extent, sparkline } from '../../../dist/cli/top/bars.js'
import { DEFAULT_FIELDS, headingLine, rowLine } from '../../../dist/cli/top/columns.js'
import { frameLines } from '../../../dist/cli/top/frame.js'
import { headerLines } from '../../../dist/cli/top/header.js'
import { History } from '../../../dist/cli/top/history.js'
import type { SystemStats } from '../../../dist/index.js'
import { tableOf } from './tables.js'

const colors = pc.createColors(false)
const plain = (text: string) => text
const styleOf = (width: number, ascii = false) => ({ width, colors, inverse: plain, ascii })
const context = { uptimeSeconds: 100_000, sampledAtMs: 0 }

test('a bar has its width whatever it shows', () => {
  const half = [{ share: 0.5, paint: plain }]
  expect(bar('Mem', half, '1.0G/2.0G', 25)).toBe('Mem[|||||||||| 1.0G/2.0G]')
  expect(bar('0', [], '-', 10)).toBe('0[      -]')
  for (const share of [0, 0.2, 0.55, 0.9, 1, 7]) {
    for (const width of [3, 8, 20, 61]) {
      expect(bar('0', [{ share, paint: plain }], '55.0%', width)).toHaveLength(width)
    }
  }
  const parts = [
    { share: 0.25, paint: (text: string) => `<${text}>` },
    { share: 0.25, paint: (text: string) => `(${text})` },
  ]
  expect(bar('', parts, '', 10)).toBe('[<||>(||)    ]')
})

test('a sparkline has a cell for each value, and a gap where there is none', () => {
  expect(sparkline([0, 50, 100, Number.NaN, 100], 0, 100, false)).toBe('▁▅█ █')
  expect(sparkline([0, 50, 100, Number.NaN, 100], 0, 100, true)).toBe('_-# #')
  expect(sparkline([5, 5], 5, 5, false)).toBe('▁▁')
  expect(extent([3, Number.NaN, 1])).toEqual([1, 3])
  expect(extent([Number.NaN])).toBeUndefined()
})

test('history is of a process, not of its slot', () => {
  const history = new History(3)
  const keep = (generation: number, cpuPercent: number, capacity = 8) =>
    history.keep(
      tableOf([{ slot: 2, pid: 7, generation, cells: { cpuPercent, rssBytes: cpuPercent * 10 } }], capacity),
    )
  keep(1, 10)
  keep(1, 20)
  expect([...history.of(2, 1).cpuPercent]).toEqual([10, 20])
  keep(2, 30, 16) // another process, and the table has grown
  expect([...history.of(2, 2).rssBytes]).toEqual([Number.NaN, Number.NaN, 300])
  expect([...history.of(2, 1).cpuPercent]).toEqual([10, 20, Number.NaN])
  keep(2, 40, 16)
  expect([...history.of(2, 2).cpuPercent]).toEqual([Number.NaN, 30, 40])
  expect([...history.of(15, 1).cpuPercent]).toEqual([Number.NaN, Number.NaN, Number.NaN])
})

test('rows have exactly the width, and no name can break out of them', () => {
  const table = tableOf([
    {
      slot: 1,
      pid: 4_194_304,
      name: '\u001b[31mred\u0007\n',
      commandLine: '\u001b]0;title\u0007 名前名前 \u202e\n'.repeat(400),
      cells: { cpuPercent: 123.4, rssBytes: 2 ** 50, nice: -20, threads: 100_000, uid: 4_294_967_295 },
    },
    { slot: 2, pid: 5, name: '\u001b[2J', cells: {} },
  ])
  for (const width of [60, 80, 200]) {
    for (const slot of [1, 2]) {
      const options = { isSelected: false, strokes: '├─', style: styleOf(width) }
      const line = rowLine(table.at(slot), DEFAULT_FIELDS, context, options)
      expect(cellWidth(line)).toBe(width)
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u)
      expect(line).toContain(slot === 1 ? '├─\\' : '├─[\\')
    }
    const heading = headingLine(DEFAULT_FIELDS, fieldNamed('cpu')!, true, styleOf(width))
    expect(cellWidth(heading)).toBe(width)
    expect(heading).toMatch(/ {4}PID USER +NI S +THR +RSS +%CPU▼ +%MEM +TIME COMM/)
  }
})

const times = { userMs: 0, niceMs: 0, systemMs: 0, idleMs: 0 } as never
const percents = { user: 20, nice: 0, system: 10, idle: 70, busy: 30 } as never

function statsOf(cores: number): SystemStats {
  const numbers = Array.from({ length: cores }, (_, core) => core)
  return {
    atMs: 0,
    monotonicMs: 0,
    missing: [],
    cpu: { total: times, cores: numbers.map((core) => ({ ...(times as object), core })) },
    memory: {
      totalBytes: 2 ** 34,
      usedBytes: 2 ** 33,
      freeBytes: 2 ** 32,
      swapTotalBytes: 2 ** 31,
      swapUsedBytes: 0,
    },
    load: { load1: 1, load5: 2, load15: 3 },
    uptime: { uptimeSeconds: 100, idleSeconds: 0 },
    processes: { total: 3, byState: { S: 2, Z: 1 } },
    cpuPressure: { some: { avg10: 12.3 } },
    rates: { cpu: percents, cores: numbers.map((core) => ({ core, percents })) },
  } as unknown as SystemStats
}

test('the host fits its lines, from one core to very many', () => {
  for (const cores of [1, 2, 3, 8, 16, 64, 128, 512]) {
    for (const [width, rows] of [
      [60, 4],
      [80, 6],
      [200, 11],
    ] as const) {
      const lines = headerLines(statsOf(cores), rows, styleOf(width))
      expect(lines.length).toBeLessThanOrEqual(rows)
      for (const line of lines) expect(cellWidth(line)).toBeLessThanOrEqual(width)
    }
  }
  const [first, ...rest] = headerLines(statsOf(2), 6, styleOf(80))
  expect(first).toMatch(/^0\[\|+ +30\.0%\] 1\[\|+ +30\.0%\]$/)
  expect(rest[0]).toMatch(/^Mem\[\|+ *8\.0G\/16G\] Swp\[ +0\/2\.0G\]$/)
  expect(rest[1]).toMatch(/^PSI cpu\[\|+ +12\.3%\] PSI mem\[ +-\] PSI io\[ +-\]$/)
  expect(rest[2]).toMatch(/^load 1\.00 2\.00 3\.00 {2}up 1:40 {2}3 processes: 2 sleeping, 1 zombie +$/)
  expect(headerLines(statsOf(512), 4, styleOf(80))[0]).toMatch(/^CPU\[\|+ +30\.0%, 0 of 512 cores busy\]$/)
})

test('what could not be read of the host is said, not shown as nothing', () => {
  const lines = headerLines({ atMs: 0, monotonicMs: 0, missing: [], rates: undefined }, 6, styleOf(60))
  expect(lines.join('\n')).toMatch(
    /CPU\[ +-, - of 0 cores busy\]\nMem - +\nPressure: this kernel does not tell/,
  )
})

test('the frame puts a list beside the rows, and takes lines as they are', () => {
  const lines = frameLines({
    header: ['\u001b[32mgreen\u001b[39m'],
    list: ['one  ', 'two  ', '     '],
    rows: ['head', 'row'],
    height: 3,
    footer: ['foot'],
  })
  expect(lines).toEqual(['\u001b[32mgreen\u001b[39m', 'one   head', 'two   row', '      ', 'foot'])
})
