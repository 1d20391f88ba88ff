import { z } from 'zod'
import { COLUMNS } from '../table/columns.js'
import type { ClauseValue, DecisionBody, Exclusion, PlannedStep } from './decision_records.js'
import type { JournalRecord } from './records.js'

/** A decision as the journal has it, whichever version wrote it. */
export type RecordedDecision = Omit<DecisionBody, 'type'> & {
  readonly seq: number
  readonly atMs: number
}

/** JSON has no infinity and writes null. */
const numeric = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.POSITIVE_INFINITY)
  .optional()

const clauseSchema = z.object({
  text: z.string(),
  operand: z.string(),
  op: z.string(),
  unit: z.string().transform((unit) => unit as ClauseValue['unit']),
  value: numeric,
  threshold: numeric,
  truth: z.boolean().optional(),
  windowMs: z.number().optional(),
  samples: z.array(z.object({ atMs: z.number(), value: z.number() })).optional(),
})

const unitOf = new Map<string, ClauseValue['unit']>(COLUMNS.map(({ name, unit }) => [name, unit]))

/** As it was before version 0.1. */
const olderClauseSchema = z
  .object({ column: z.string(), op: z.string(), threshold: z.number(), value: z.number().optional() })
  .transform(({ column, op, threshold, value }): ClauseValue => {
    const unit = column === 'state' ? 'state' : (unitOf.get(column) ?? '')
    const text = `${column} ${op} ${unit === 'state' ? String.fromCharCode(threshold) : threshold}`
    return { text, operand: column, op, unit, value, threshold, truth: undefined }
  })

const identitySchema = z.object({
  pid: z.number(),
  startTicks: z.number(),
  pidfsInode: z.number().optional(),
  settled: z.boolean().default(true),
})

const decisionSchema = z.object({
  seq: z.number(),
  atMs: z.number(),
  decisionId: z.string(),
  rule: z.string(),
  identity: identitySchema.optional(),
  group: z
    .object({
      kind: z.enum(['all', 'user', 'unit', 'cgroup', 'container', 'program', 'subtree']),
      key: z.string(),
      count: z.number(),
      members: z.array(z.object({ identity: identitySchema, name: z.string(), value: numeric })),
    })
    .optional(),
  name: z.string(),
  kind: z.enum(['fire', 'clear']),
  severity: z.enum(['info', 'warning', 'critical']),
  condition: z.string().optional(),
  clauses: z.array(z.union([clauseSchema, olderClauseSchema])),
  excluded: z
    .array(
      z.object({
        what: z.enum(['clause', 'member']),
        name: z.string(),
        pid: z.number().optional(),
        why: z.enum(['unreadable', 'window', 'gone']),
      }),
    )
    .optional(),
  cause: z.enum(['condition', 'gone', 'unmatched', 'removed', 'ended']).catch('condition'),
  sinceMs: z.number().optional(),
  steps: z.array(z.object({ action: z.string(), afterMs: z.number() })).optional(),
  /** As they were before version 0.1. */
  actions: z.array(z.string()).optional(),
  dryRun: z.boolean().default(false),
})

/** Undefined for what is no decision, or none that can be told. */
export function readDecision(record: JournalRecord): RecordedDecision | undefined {
  const parsed = decisionSchema.safeParse(record)
  if (!parsed.success) return undefined
  const { actions = [], steps, excluded, condition, kind, clauses, identity, group, ...rest } = parsed.data
  if (identity === undefined && group === undefined) return undefined
  // A rule fires only when every clause of the older, plain condition holds.
  const judged = clauses.map(
    (clause): ClauseValue => ({
      ...{ windowMs: undefined, samples: undefined, ...clause },
      value: clause.value,
      threshold: clause.threshold,
      truth: clause.truth ?? (condition === undefined && kind === 'fire' ? true : undefined),
    }),
  )
  return {
    ...rest,
    ...{ kind, identity, group, sinceMs: rest.sinceMs, clauses: judged },
    condition: condition ?? clauses.map(({ text }) => text).join(' and '),
    excluded: excluded ?? unknownOf(judged, rest.cause),
    steps: (steps ?? actions.map((action) => ({ action, afterMs: 0 }))) as PlannedStep[],
  }
}

function unknownOf(clauses: readonly ClauseValue[], cause: DecisionBody['cause']): Exclusion[] {
  return clauses
    .filter(({ value }) => value === undefined)
    .map(({ text }) => ({ what: 'clause', name: text, why: cause === 'gone' ? 'gone' : 'unreadable' }))
}
