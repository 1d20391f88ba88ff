import { headerCell, type TableMemory } from '../../table/layout.js'
import type { SeriesPlan } from '../compile/plan.js'
import { matchedWord } from './evaluation.js'
import type { Shard } from './judge.js'
import type { SeriesProgram } from './program.js'
import type { SeriesTick } from './series.js'
import { stateCell } from './state.js'

/** Has every series follow the processes or groups that its rules are about now. */
export function followSeries(shard: Shard, table: TableMemory, tick: SeriesTick, isRevised: boolean): void {
  const { rules, state, changes, seriesMemory, series } = shard
  if (state.header[stateCell.followed] === tick.tick) return
  if (isRevised) freePlaces(shard)
  const everywhere = Array.from({ length: state.words }, (_, word) => word)
  const touched = changes.touchedWords.subarray(0, changes.touchedCount)
  // Another program in a process, and another process in a slot, begin anew.
  const begun = changes.changed.slice()
  for (let index = 0; index < table.header[headerCell.execedCount]!; index++) {
    const slot = table.execed[index]!
    begun[slot >>> 5]! |= 1 << (slot & 31)
  }
  const none = new Int32Array(state.words)
  const wasRefused = seriesMemory.refused > 0
  seriesMemory.refused = 0
  for (const program of rules.series) {
    const { plan, place, tag } = program
    const isNew = seriesMemory.tagOf(place) !== tag
    if (isNew) seriesMemory.retag(place, tag)
    const own = series.get(plan.key)!
    const isGrouped = program.rules.some((local) => shard.groups[local] !== undefined)
    const all = isRevised || wasRefused || isGrouped || isNew
    own.follow(all ? everywhere : touched, wantedBy(shard, program), plan.ofGroups ? none : begun, tick)
  }
  state.header[stateCell.followed] = tick.tick
}

/** Takes places back from series that are there no more. */
function freePlaces({ rules, seriesMemory }: Shard): void {
  const used = new Set(rules.series.map(({ place }) => place))
  for (let place = 0; place < seriesMemory.shape.places; place++) {
    if (!used.has(place) && seriesMemory.tagOf(place) !== 0) seriesMemory.retag(place, 0)
  }
}

function wantedBy(shard: Shard, { plan, rules }: SeriesProgram): (word: number) => number {
  const { groups } = shard
  if (plan.ofGroups) return (word) => groups[rules[0]!]!.live[word]!
  const memberships = rules.map((local) => {
    const group = groups[local]
    if (group === undefined) return (word: number) => matchedWord(shard, local, word)
    return (word: number) => group.memberWord(word)
  })
  if (memberships.length === 1) return memberships[0]!
  return (word) => {
    let wanted = 0
    for (const membership of memberships) wanted |= membership(word)
    return wanted
  }
}

/**
 * Takes the tick's samples into every series, those that others stand on first.
 * @returns false when the table was overwritten meanwhile
 */
export function updateSeries(shard: Shard, tick: SeriesTick, isWhole: () => boolean): boolean {
  const { rules, signals, series, groups, trends, state } = shard
  const samples = signals.take(state.capacity)
  const grown: { chunk: number; plan: SeriesPlan }[] = []
  for (const program of rules.series) {
    const { plan } = program
    const own = series.get(plan.key)!
    const slots = own.slots()
    signals.groups = plan.ofGroups ? groups[program.rules[0]!] : undefined
    signals.read(plan.of, slots, slots.length, samples)
    signals.groups = undefined
    if (!isWhole()) return false
    own.update(samples, tick, signals.source)
    if (plan.family === 'trend') own.chunks(grown)
  }
  signals.release()
  if (grown.length > 0) {
    const start = Math.min(state.header[stateCell.analysis]!, grown.length - 1)
    state.header[stateCell.analysis] = trends.analyze(grown, start, tick.nowMs)
  }
  return true
}
