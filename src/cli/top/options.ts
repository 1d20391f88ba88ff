import { EXIT } from '../exit_codes.js'
import type { FaultList } from '../fault.js'
import { fieldNamed, fieldWords } from '../ps/fields.js'
import { readSource, SAMPLE_SOURCES, type SampleSource } from '../source_option.js'
import { didYouMean } from '../suggest.js'
import { drawsBoxes } from '../terminal.js'
import { quoted, readNumber, readText } from '../values.js'
import { isBestDescending } from './columns.js'
import type { View } from './order.js'

/** As commander hands them over. */
export interface RawTop {
  sort?: string
  interval?: string
  filter?: string
  user?: string
  tree?: boolean
  source?: string
  ascii?: boolean
}

export interface TopOptions {
  readonly view: View
  readonly intervalMs: number
  readonly source: SampleSource
  readonly ascii: boolean
}

const INTERVAL = {
  flag: '-i/--interval',
  wanted: 'seconds from 0.1 to 86400',
  min: 0.1,
  max: 86_400,
  suffix: 's',
}

/** Reads every flag; what is wrong goes into `faults`, and the options are not to be used then. */
export function readTopOptions(raw: RawTop, faults: FaultList): TopOptions {
  const seconds = raw.interval === undefined ? 1 : readNumber(raw.interval, INTERVAL, faults)
  const user = raw.user === undefined ? undefined : readText(raw.user, '--user', 'a user name or uid', faults)
  return {
    view: {
      ...sortOf(raw.sort ?? 'cpu', faults),
      tree: raw.tree === true,
      filter: raw.filter ?? '',
      user,
    },
    intervalMs: (seconds ?? 1) * 1000,
    source: readSource(raw.source, SAMPLE_SOURCES, faults) ?? 'auto',
    ascii: raw.ascii === true || !drawsBoxes(),
  }
}

/** Without a sign in the direction that people look for. */
function sortOf(word: string, faults: FaultList): Pick<View, 'sort' | 'descending'> {
  const name = word.replace(/^[-+]/, '')
  const sort = fieldNamed(name)
  if (sort === undefined) {
    faults.add(
      EXIT.malformed,
      `--sort ${quoted(name)} is no column${didYouMean(name, fieldWords())}; \`muster ps --help\` lists them`,
    )
    return { sort: fieldNamed('cpu')!, descending: true }
  }
  return { sort, descending: word.startsWith('-') || (!word.startsWith('+') && isBestDescending(sort)) }
}
