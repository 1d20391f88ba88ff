import { z } from 'zod'
import { RESOURCE_UNITS, RESOURCES, type Resource } from '../../control/rlimit.js'
import { type SignalName, signalNumber } from '../../control/signal_names.js'
import { MAX_DURATION_MS } from '../language/durations.js'
import { parseBytes } from '../language/units.js'
import { durationSchema, takenBy } from './texts.js'

/** An action of a checked rule. */
export type ActionSpec =
  | { type: 'evidence' }
  | {
      type: 'restart'
      /** How long it may take to end before SIGKILL; the engine's unless given. */
      graceMs?: number | undefined
      /** What it is asked to end by; SIGTERM unless given. */
      signal?: SignalName | number | undefined
      /** Also when its executable was deleted or replaced since it was started. */
      allowReplacedExecutable?: boolean | undefined
    }
  | { type: 'signal'; signal: SignalName | number }
  | { type: 'priority'; nice: number }
  | {
      type: 'limit'
      resource: Resource
      soft?: number | 'unlimited' | undefined
      hard?: number | 'unlimited' | undefined
    }
  /** SIGCHLD to the parent of a zombie, so that it collects it. */
  | { type: 'nudgeParent' }

/** One step of a ladder of actions. */
export type Step = ActionSpec & {
  /** How long after the rule fired, if the breach still lasts; 0: at once. */
  afterMs: number
}

const limitValue = z.union([z.int().min(0), z.string().max(100)], {
  error: 'give a whole number, a size such as 500M or 1.5GiB, or unlimited',
})

/** A limit in the resource's own unit: of what is in bytes also as a size such as `500M`. */
function readLimit(
  resource: Resource,
  given: number | string,
  path: string,
  context: z.RefinementCtx,
): number | 'unlimited' {
  if (typeof given === 'number' || given === 'unlimited') return given
  const isBytes = RESOURCE_UNITS[resource] === 'bytes'
  try {
    if (isBytes) return parseBytes(given)
  } catch {
    // Told below.
  }
  const size = isBytes ? ', a size such as 500M or 1.5GiB,' : ''
  const message = `${JSON.stringify(given)} is no limit of ${resource}; give a whole number${size} or unlimited`
  context.addIssue({ code: 'custom', message, path: [path] })
  return z.NEVER
}

const sizeOf = (limit: number | 'unlimited'): number =>
  limit === 'unlimited' ? Number.POSITIVE_INFINITY : limit

/** A name as `sendSignal` takes it: `SIGTERM`, `TERM`, `SIGRTMIN+3`. */
const signal = z.union([
  z.int().min(1).max(64),
  z
    .string()
    .refine(...takenBy((name) => signalNumber(name as SignalName)))
    .transform((name) => name as SignalName),
])
const after = durationSchema.optional().describe('So long after the rule fired, if the breach still lasts')

const TYPES = ['evidence', 'restart', 'signal', 'priority', 'limit', 'nudgeParent'] as const

export const stepSchema = z
  .union(
    [
      z.enum(['evidence', 'restart', 'nudgeParent']),
      z.discriminatedUnion('type', [
        z.strictObject({ type: z.literal('evidence'), after }),
        z.strictObject({
          type: z.literal('restart'),
          after,
          graceMs: z.number().min(0).max(MAX_DURATION_MS).optional().describe('Time to end before SIGKILL'),
          signal: signal.optional().describe('What it is asked to end by; SIGTERM unless given'),
          allowReplacedExecutable: z
            .boolean()
            .optional()
            .describe('Also when its executable was deleted or replaced since it was started'),
        }),
        z.strictObject({ type: z.literal('signal'), after, signal }),
        z.strictObject({ type: z.literal('priority'), after, nice: z.int().min(-20).max(19) }),
        z
          .strictObject({
            type: z.literal('limit'),
            after,
            resource: z.enum(RESOURCES),
            soft: limitValue.optional(),
            hard: limitValue.optional(),
          })
          .refine((limit) => limit.soft !== undefined || limit.hard !== undefined, {
            error: 'give soft, hard or both',
          })
          .transform(({ soft, hard, ...rest }, context) => ({
            ...rest,
            ...(soft !== undefined && { soft: readLimit(rest.resource, soft, 'soft', context) }),
            ...(hard !== undefined && { hard: readLimit(rest.resource, hard, 'hard', context) }),
          }))
          .refine(
            ({ soft, hard }) => hard === undefined || soft === undefined || sizeOf(soft) <= sizeOf(hard),
            {
              error: 'the soft limit is above the hard one',
              path: ['soft'],
            },
          ),
        z.strictObject({ type: z.literal('nudgeParent'), after }),
      ]),
    ],
    {
      error: `an action is 'evidence', 'restart', 'nudgeParent' or an object with a type: ${TYPES.join(', ')}`,
    },
  )
  .transform((written): Step => {
    if (typeof written === 'string') return { type: written, afterMs: 0 }
    const { after: afterMs = 0, ...action } = written
    return { ...action, afterMs }
  })
