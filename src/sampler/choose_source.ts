import { errnoName } from '../errors.js'
import type { NativeSampler } from '../native.js'
import { bpfObstacle, type Obstacle } from '../system/kernel_support.js'

const REFUSAL_BYTES = 4096

/** Opens the bpf source; what was in the way, or undefined once it is open. */
export async function openBpf(
  sampler: NativeSampler,
  procRoot: string,
  exactRss: boolean,
): Promise<Obstacle | undefined> {
  const obstacle = bpfObstacle({ procRoot })
  if (obstacle !== undefined) return obstacle
  const out = new Float64Array(2)
  const refusal = new Uint8Array(REFUSAL_BYTES)
  await sampler.openBpf(exactRss, refusal, out)
  const [errno] = out as unknown as [number]
  if (errno === 0) return undefined
  const end = refusal.indexOf(0)
  const words = new TextDecoder().decode(refusal.subarray(0, end < 0 ? REFUSAL_BYTES : end)).trim()
  return {
    code: 'REFUSED',
    reason: `the kernel refused to load its program (${errnoName(errno)})${words === '' ? '' : `: ${words.replace(/\s+/g, ' ')}`}`,
    remedy: 'look whether a security module or a seccomp filter forbids bpf(2), or take procfs',
  }
}

export const BPF_REASON = 'bpf: the kernel fills the table by itself'

export function procfsReason(obstacle: Obstacle | undefined): string {
  return obstacle === undefined
    ? 'procfs: it was asked for'
    : `procfs: no bpf here, for ${obstacle.reason}; to have it, ${obstacle.remedy}`
}
