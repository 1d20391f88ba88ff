import type { Command } from 'commander'
import { EXIT } from './exit_codes.js'
import { fail } from './fault.js'
import { commandsFor } from './other_tools.js'
import { didYouMean } from './suggest.js'
import { quoted } from './values.js'

/**
 * `help rules check` as `rules check --help`. Where help is asked for and a command is not known commander prints all
 * help, as if it had been found.
 */
export function helpWords(program: Command, words: readonly string[]): readonly string[] {
  const path: string[] = []
  let command = program
  let isAsked = words.includes('--help') || words.includes('-h')
  for (const word of words) {
    if (word.startsWith('-') || command.commands.length === 0) break
    if (word === 'help') {
      isAsked = true
      continue
    }
    const inner = command.commands.find((each) => each.name() === word)
    if (inner === undefined) {
      const isTool = command === program && commandsFor(word) !== undefined
      if (!isAsked && !isTool) break
      fail(EXIT.usage, noCommand(command, word))
    }
    path.push(word)
    command = inner
  }
  return isAsked && words.slice(0, path.length + 1).includes('help') ? [...path, '--help'] : words
}

/** `muster jobs attach` */
export function wholeName(command: Command): string {
  const outer = command.parent === null ? '' : `${wholeName(command.parent)} `
  return outer + command.name()
}

/** What a person is told who has misspelt a command inside another. */
export function noCommand(outer: Command, word: string): string {
  const near = didYouMean(
    word,
    outer.commands.map((each) => each.name()),
  )
  const whole = wholeName(outer)
  const instead = outer.parent === null ? commandsFor(word) : undefined
  if (instead !== undefined) return `${whole} has no command ${quoted(word)}; see ${instead}`
  return `${whole} has no command ${quoted(word)}${near}; \`${whole} --help\` lists them`
}
