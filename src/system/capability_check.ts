import { type Capability, lackingCapabilities } from './capabilities.js'
import type { Check } from './check.js'
import type { HostReadings } from './host_readings.js'
import { beyondText } from './kernel_support.js'

/** A check that may have nothing to say of capabilities. */
export type Judged = Omit<Check, 'lacking'> & { readonly lacking?: readonly Capability[] }

/** Something that needs capabilities, and nothing else. */
interface CapabilityCheck extends Pick<Check, 'id' | 'title' | 'area' | 'gain'> {
  readonly needs: readonly Capability[]
  readonly without: string
}

export function byCapability(readings: HostReadings, check: CapabilityCheck): Judged {
  const { needs, without, ...judged } = check
  const lacking = lackingCapabilities(readings.status?.effective ?? 0n, needs)
  if (lacking.length > 0) {
    const found = `no ${lacking.join(', ')}`
    const remedy = waysTo(lacking, readings)
    return { ...judged, state: 'limited', found, instead: without, remedy, lacking }
  }
  if (readings.bpf.userNamespace === 'other') {
    return {
      ...judged,
      state: 'limited',
      found: `${needs.join(', ')}, but only over processes of this user namespace`,
      instead: without,
      remedy: "run it in the host's user namespace",
    }
  }
  return { ...judged, state: 'ok', found: needs.join(', '), instead: undefined, remedy: undefined }
}

/** Each way of granting replaces what was granted before, so that only the grants of the whole name commands. */
export function waysTo(capabilities: readonly Capability[], { bpf }: Pick<HostReadings, 'bpf'>): string {
  const beyond = lackingCapabilities(bpf.bounding ?? 0n, capabilities)
  return beyond.length > 0 ? beyondText(beyond) : `run it as root, or grant ${capabilities.join(', ')}`
}
