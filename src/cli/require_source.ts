import { bpfObstacle } from '../public/system.js'
import { EXIT } from './exit_codes.js'
import type { FaultList } from './fault.js'
import type { SampleSource } from './source_option.js'

/** Says before anything starts why samples cannot come from the source that was asked for. */
export function requireSource(source: SampleSource | undefined, faults: FaultList, flag = '--source'): void {
  const obstacle = source === 'bpf' ? bpfObstacle() : undefined
  if (obstacle === undefined) return
  const { code, reason, remedy } = obstacle
  faults.add(
    code === 'NO_CAPABILITY' || code === 'LOCKDOWN' ? EXIT.permission : EXIT.outOfRange,
    `${flag} bpf: ${reason}; ${remedy}`,
  )
}
