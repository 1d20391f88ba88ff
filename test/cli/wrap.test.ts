import { expect, test } from 'vitest'
import { hanging, setIn } from '../../dist/cli/wrap.js'

const RED = '\u001b[31m'
const PLAIN = '\u001b[39m'

test('lines are broken where their text is too wide, not for the colours in it', () => {
  expect(hanging(`${RED}ok${PLAIN}  `, 'one two', 11)).toEqual([`${RED}ok${PLAIN}  one two`])
  expect(hanging(`${RED}ok${PLAIN}  `, 'one two', 10)).toEqual([`${RED}ok${PLAIN}  one`, '    two'])
  expect(setIn(`${RED}one${PLAIN} two`, 2, 7)).toEqual([`${RED}one${PLAIN} two`])
  expect(setIn(`${RED}one${PLAIN} two`, 2, 6)).toEqual([`${RED}one${PLAIN}`, '  two'])
})
