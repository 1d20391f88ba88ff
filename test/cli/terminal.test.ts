import { expect, test } from 'vitest'
import { cellWidth, colorsFor, escapeForTerminal, safeJson, truncate } from '../../dist/cli/terminal.js'

test('nothing that moves a cursor, reorders or hides text is left', () => {
  expect(escapeForTerminal('a\nb\r\t\u001b[31m\u0007')).toBe('a\\nb\\r\\t\\e[31m\\x07')
  expect(escapeForTerminal('\u009b31m\u007f')).toBe('\\x9b31m\\x7f')
  expect(escapeForTerminal('\u202egnp.exe\u2066\u200b\ufeff\u2028')).toBe(
    '\\u{202e}gnp.exe\\u{2066}\\u{200b}\\u{feff}\\u{2028}',
  )
  expect(escapeForTerminal('\u{e0041}\ud800')).toBe('\\u{e0041}\\u{d800}')
})

test('ordinary text of any script stays as it is', () => {
  for (const text of ['node', 'kworker/0:1-ev', 'größe', '名前', 'é', '\ufffd', 'a\\nb'])
    expect(escapeForTerminal(text)).toBe(text)
})

test('JSON stays the same value and is fit for a terminal', () => {
  const value = { name: 'a\n\u001b[31m\u009b\u202e\u{e0041}', n: 1.5 }
  const text = safeJson(value)
  expect(JSON.parse(text)).toEqual(value)
  expect(text).toMatch(/^[\u0020-\u007e]*$/)
})

test('width counts cells, and truncation keeps within them', () => {
  expect(cellWidth('名前')).toBe(4)
  expect(cellWidth('é')).toBe(1)
  expect(truncate('abcdef', 6)).toBe('abcdef')
  expect(truncate('abcdef', 5)).toBe('abcd…')
  expect(cellWidth(truncate('名前名前', 6))).toBeLessThanOrEqual(6)
  expect(truncate('名前', 4)).toBe('名前')
  expect(truncate('abc', 0)).toBe('')
})

test('colours are for terminals only, and NO_COLOR turns them off', () => {
  expect(colorsFor({ isTTY: true }, {}).red('x')).not.toBe('x')
  expect(colorsFor({ isTTY: true }, { NO_COLOR: '1' }).red('x')).toBe('x')
  expect(colorsFor({ isTTY: true }, { TERM: 'dumb' }).red('x')).toBe('x')
  expect(colorsFor({}, { FORCE_COLOR: '1', CI: '1' }).red('x')).toBe('x')
})
