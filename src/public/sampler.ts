export { Sampler, type SamplerOptions } from '../sampler/sampler.js'
