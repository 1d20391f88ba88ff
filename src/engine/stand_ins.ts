// Stands in for what the sampler brings, until it is there.
import type { Sampler } from '../sampler/sampler.js'

export type EngineSampler = Sampler & {
  readonly sourceReason?: string
  forgetDetails?(pid: number): void
}
