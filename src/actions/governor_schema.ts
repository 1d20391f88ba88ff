import { z } from 'zod'
import { LIMIT_BOUNDS, limitsSchema, perWindowSchema } from '../rules/schema/limits.js'
import { durationSchema } from '../rules/schema/texts.js'
import type { GovernorOptions } from './governor_options.js'

/** `GovernorOptions` as a configuration file has them. */
export const governorSchema = z
  .strictObject({
    concurrent: z
      .int()
      .min(LIMIT_BOUNDS.concurrent[0])
      .max(LIMIT_BOUNDS.concurrent[1])
      .optional()
      .describe('Restarts under way at the same time over the host'),
    perWindow: perWindowSchema
      .optional()
      .describe('Restarts over the host in any such time; at one more all stop: 60/10m'),
    cool: durationSchema.optional().describe('How long they stop then'),
    suspendAfter: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe('Restarts in a row without relief after which those of a rule are suspended'),
    limits: limitsSchema.optional().describe('For rules that do not say otherwise themselves'),
  })
  .transform(
    ({ cool, ...rest }): GovernorOptions => ({ ...rest, ...(cool === undefined ? {} : { coolMs: cool }) }),
  )
