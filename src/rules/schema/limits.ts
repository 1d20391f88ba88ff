import { z } from 'zod'
import { GROUP_KINDS, type GroupKind } from '../language/ast.js'
import { MAX_DURATION_MS, parseDuration } from '../language/durations.js'
import { durationSchema, invalid, readBy } from './texts.js'

/** What limits can go by: a subtree is one of a root's, and limits name no root. */
type LimitGroup = Exclude<GroupKind, 'subtree'>
export const LIMIT_GROUPS = GROUP_KINDS.filter((kind) => kind !== 'subtree') as [LimitGroup, ...LimitGroup[]]

/** The least and the most that limits may be, whoever gives them; times are milliseconds. */
export const LIMIT_BOUNDS = {
  concurrent: [1, 1000],
  perGroup: [1, 1000],
  /** So many times are kept. */
  perWindow: [1, 10_000],
  flap: [1, 1000],
  minHealthy: [0, 1_000_000],
  percent: [0, 100],
  windowMs: [1, MAX_DURATION_MS],
  ms: [0, MAX_DURATION_MS],
} as const

/** At most so many within any span of that length. */
export interface PerWindow {
  readonly max: number
  readonly windowMs: number
}

/** What a rule may do by way of restarts; what is undefined is as the engine's governor has it. */
export interface RuleLimits {
  /** Restarts of this rule under way at the same time. */
  readonly concurrent?: number | undefined
  /** Restarts under way at the same time among processes that have this in common, whichever rule asks. */
  readonly perGroup?: { readonly max: number; readonly by: LimitGroup } | undefined
  /** Restarts that this rule begins. */
  readonly perWindow?: PerWindow | undefined
  /** Restarts that are begun in one group of `perGroup`. */
  readonly perGroupWindow?: PerWindow | undefined
  /** Restarts that are asked for while others wait or go on are spread over so long. */
  readonly jitterMs?: number | undefined
  /** Pause after the first restart of a process; doubles with each. */
  readonly backoffFirstMs?: number | undefined
  readonly backoffMaxMs?: number | undefined
  /** So long without a breach after a restart, and the backoff begins anew. */
  readonly successMs?: number | undefined
  /** Restarts of one process and its successors within `flapWindowMs`; asked for one more, the governor gives up on it. */
  readonly flapMax?: number | undefined
  readonly flapWindowMs?: number | undefined
  /** After so long what was given up or suspended is tried again. */
  readonly rearmMs?: number | undefined
  /** Members of the group (of all that match, without `perGroup`) that are never under restart, or percent of them. */
  readonly minHealthy?: number | { readonly percent: number } | undefined
}

type Bounds = readonly [least: number, most: number]
const whole = ([least, most]: Bounds) => z.int().min(least).max(most)

const perTime = (bounds: Bounds) =>
  z.union([
    z
      .string()
      .max(100)
      .transform(readBy((text) => readPerTime(text, bounds))),
    z
      .strictObject({
        max: whole(bounds),
        window: durationSchema.refine((ms) => ms >= LIMIT_BOUNDS.windowMs[0], {
          error: 'the time is longer than 0',
        }),
      })
      .transform(({ max, window }) => ({ max, windowMs: window })),
  ])
export const perWindowSchema = perTime(LIMIT_BOUNDS.perWindow)
const perGroup = z.union([
  z.string().max(100).transform(readBy(readPerGroup)),
  z.strictObject({ max: whole(LIMIT_BOUNDS.perGroup), by: z.enum(LIMIT_GROUPS) }),
])
const backoff = z.union([
  z.string().max(100).transform(readBy(readRange)),
  z
    .strictObject({ first: durationSchema, max: durationSchema })
    .refine(({ first, max }) => first <= max, { error: 'first is longer than max' })
    .transform(({ first, max }) => ({ firstMs: first, maxMs: max })),
])
const minHealthy = z.union([
  whole(LIMIT_BOUNDS.minHealthy),
  z.string().max(100).transform(readBy(readPercent)),
  z.strictObject({ percent: z.number().min(0).max(100) }),
])

export const limitsSchema = z
  .strictObject({
    concurrent: whole(LIMIT_BOUNDS.concurrent).optional().describe('Restarts under way at the same time'),
    perGroup: perGroup.optional().describe('At the same time per group: 1/unit'),
    perWindow: perWindowSchema.optional().describe('Restarts in any such time: 3/1h'),
    perGroupWindow: perWindowSchema
      .optional()
      .describe('Restarts in one group of perGroup in any such time: 1/10m'),
    jitter: durationSchema
      .optional()
      .describe('Restarts that come together are spread over up to this, at random'),
    backoff: backoff.optional().describe('Wait between restarts of a process, doubled each time: 10s..10m'),
    success: durationSchema.optional().describe('So long without a breach makes the backoff start anew'),
    flap: perTime(LIMIT_BOUNDS.flap)
      .optional()
      .describe('After so many restarts of a process in such a time it is left alone: 5/1h'),
    rearm: durationSchema
      .optional()
      .describe('After this time what was given up or suspended is tried again'),
    minHealthy: minHealthy
      .optional()
      .describe('So many members of a group, or such a part of them, are never under restart: 50%'),
  })
  .transform((limits): RuleLimits => {
    const {
      concurrent,
      perGroup,
      perWindow,
      perGroupWindow,
      jitter,
      backoff,
      success,
      flap,
      rearm,
      minHealthy,
    } = limits
    return {
      ...(concurrent === undefined ? {} : { concurrent }),
      ...(perGroup === undefined ? {} : { perGroup }),
      ...(perWindow === undefined ? {} : { perWindow }),
      ...(perGroupWindow === undefined ? {} : { perGroupWindow }),
      ...(jitter === undefined ? {} : { jitterMs: jitter }),
      ...(backoff === undefined ? {} : { backoffFirstMs: backoff.firstMs, backoffMaxMs: backoff.maxMs }),
      ...(success === undefined ? {} : { successMs: success }),
      ...(flap === undefined ? {} : { flapMax: flap.max, flapWindowMs: flap.windowMs }),
      ...(rearm === undefined ? {} : { rearmMs: rearm }),
      ...(minHealthy === undefined ? {} : { minHealthy }),
    }
  })

function readPerTime(text: string, bounds: Bounds): { max: number; windowMs: number } {
  const [, digits, window] = /^\s*(\d+)\s*\/\s*(.+)$/.exec(text) ?? []
  if (digits === undefined)
    throw invalid(`${JSON.stringify(text)} is not so many in such a time; write '3/1h'`)
  const windowMs = parseDuration(window!)
  if (windowMs === 0) throw invalid(`${JSON.stringify(text)}: the time is longer than 0; write '3/1h'`)
  return { max: countOf(digits, text, '3/1h', bounds), windowMs }
}

function readPerGroup(text: string): { max: number; by: LimitGroup } {
  const [, digits, kind] = /^\s*(\d+)\s*\/\s*(\w+)\s*$/.exec(text) ?? []
  const by = LIMIT_GROUPS.find((each) => each === kind)
  if (by === undefined) {
    const why = kind === 'subtree' ? 'names no root of a subtree' : 'is not so many per group'
    throw invalid(`${JSON.stringify(text)} ${why}; write '1/unit', with one of ${LIMIT_GROUPS.join(', ')}`)
  }
  return { max: countOf(digits!, text, '1/unit', LIMIT_BOUNDS.perGroup), by }
}

function readRange(text: string): { firstMs: number; maxMs: number } {
  const [, first, last] = /^(.+?)\.\.(.+)$/.exec(text) ?? []
  if (first === undefined) throw invalid(`${JSON.stringify(text)} is no range of times; write '10s..10m'`)
  const [firstMs, maxMs] = [parseDuration(first), parseDuration(last!)]
  if (firstMs > maxMs) throw invalid(`${JSON.stringify(text)}: the first time is longer than the last`)
  return { firstMs, maxMs }
}

function readPercent(text: string): { percent: number } {
  const [, digits] = /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(text) ?? []
  const percent = Number(digits)
  if (digits === undefined || percent > 100) {
    throw invalid(`${JSON.stringify(text)} is no part of a group; write '50%', or a number of members`)
  }
  return { percent }
}

function countOf(digits: string, text: string, example: string, [least, most]: Bounds): number {
  const max = Number(digits)
  if (max >= least && max <= most) return max
  throw invalid(`${JSON.stringify(text)}: give ${least} to ${most}, as in '${example}'`)
}
