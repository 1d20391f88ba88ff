import type { Argument, Command, Option } from 'commander'
import { SIGNAL_NAMES } from '../../public/control.js'
import { wordsOf } from '../value_option.js'

/** What a value is completed with. */
export interface KnownValue {
  readonly kind: 'word' | 'list' | 'path' | 'job'
  /** Of a word, and of each item of a list; empty where it is anything. */
  readonly words: readonly string[]
}

export interface KnownFlag {
  /** `-s`, `--sort` */
  readonly names: readonly string[]
  readonly description: string
  /** Undefined where it takes none. */
  readonly value: KnownValue | undefined
}

/** A command as completion scripts see it. */
export interface KnownCommand {
  readonly name: string
  readonly description: string
  readonly flags: readonly KnownFlag[]
  /** What stands behind it besides flags; undefined where that is nothing, or nothing that is known. */
  readonly operand: KnownValue | undefined
  readonly commands: readonly KnownCommand[]
}

export function knownCommand(command: Command): KnownCommand {
  const help = command.createHelp()
  const operands = command.registeredArguments.map(operandOf)
  return {
    name: command.name(),
    description: command.description(),
    flags: help.visibleOptions(command).map(flagOf),
    operand: operands.find(({ kind, words }) => kind !== 'word' || words.length > 0),
    commands: help
      .visibleCommands(command)
      .filter((inner) => inner.name() !== 'help')
      .map(knownCommand),
  }
}

function flagOf(option: Option): KnownFlag {
  const names = [option.short, option.long].filter((name) => name !== undefined && name !== null)
  return { names, description: option.description, value: option.required ? knownValue(option) : undefined }
}

function knownValue(option: Option): KnownValue {
  const { flags } = option
  const words = /<SIGNAL>/.test(flags) ? signalWords() : wordsOf(option)
  return { kind: /FILE|DIRECTORY/.test(flags) ? 'path' : /LIST/.test(flags) ? 'list' : 'word', words }
}

function operandOf(argument: Argument): KnownValue {
  const name = argument.name()
  const words = name === 'signal' ? signalWords() : wordsOf(argument)
  return { kind: name === 'file' ? 'path' : name === 'job' ? 'job' : 'word', words }
}

const signalWords = (): string[] => [...SIGNAL_NAMES.map((name) => name.replace(/^SIG/, '')), ...SIGNAL_NAMES]

/** What can be written next to a command's name: its commands, its flags and the words that it knows. */
export const nextWords = ({ flags, operand, commands }: KnownCommand): string[] => [
  ...flags.flatMap(({ names }) => names),
  ...(operand?.words ?? []),
  ...commands.map(({ name }) => name),
]
