// Stands in for what the sampler brings, until it is there.
import type { ExactNear } from '../rules/exact_near.js'
import type { Sampler } from '../sampler/sampler.js'

export type EngineSampler = Sampler & {
  readonly sourceReason?: string
  setExactNear?(near: ExactNear): void
  forgetDetails?(pid: number): void
}
