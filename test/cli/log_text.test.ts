import { expect, test } from 'vitest'
import { LogText } from '../../dist/cli/spawn/log_text.js'

const bytes = (text: string) => new TextEncoder().encode(text)

test('a log keeps colours and line ends on a terminal, and nothing that rules it', () => {
  const text = new LogText()
  const log = 'a\tb\r\n\u001b[1;31mred\u001b[0m\n\u001b[2Jcleared \u001b]0;title\u0007 over\rwritten\n'
  expect(text.next(bytes(log)) + text.rest()).toBe(
    'a\tb\r\n\u001b[1;31mred\u001b[0m\n\\e[2Jcleared \\e]0;title\\x07 over\\rwritten\n\u001b[0m',
  )
})

test('what is cut between two reads is put together', () => {
  const text = new LogText()
  const pieces = [...bytes('\u00e9\u001b[31mred\r\n\u001b[2J\u001b')].map((byte) =>
    text.next(Uint8Array.of(byte)),
  )
  expect(pieces.join('') + text.rest()).toBe('\u00e9\u001b[31mred\r\n\\e[2J\\e\u001b[0m')
})

test('nothing conceals what follows', () => {
  const text = new LogText()
  expect(text.next(bytes('a\u001b[8mb\u001b[1;8mc\u001b[38;5;8md\u001b[48:2:8:8:8me')) + text.rest()).toBe(
    'a\\e[8mb\\e[1;8mc\u001b[38;5;8md\u001b[48:2:8:8:8me\u001b[0m',
  )
})
