import { readFile } from 'node:fs/promises'
import { writeControl } from '../cgroups/files.js'
import { type CgroupHierarchy, directoryOf, parseCgroupMounts } from '../cgroups/hierarchies.js'
import { errnoName, ProcmusterError } from '../errors.js'
import type { CgroupSpec } from './restart_spec.js'

/** Puts a process into the cgroups of another one. Returns a warning for each hierarchy where that failed. */
export async function placeInCgroups(pid: number, cgroups: readonly CgroupSpec[]): Promise<string[]> {
  const current = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')
  const already = new Set(current.split('\n').map((line) => line.slice(line.indexOf(':') + 1)))
  const mounts = parseCgroupMounts(await readFile('/proc/self/mountinfo', 'utf8').catch(() => ''))
  const warnings: string[] = []
  for (const cgroup of cgroups) {
    if (already.has(`${cgroup.controllers}:${cgroup.path}`)) continue
    const shown = `cgroup ${cgroup.controllers || 'v2'}:${JSON.stringify(cgroup.path)}`
    const hierarchy = mountOf(cgroup, mounts)
    const directory = hierarchy && directoryOf(hierarchy, cgroup.path)
    if (directory === undefined) {
      warnings.push(`${shown} is not mounted here`)
      continue
    }
    try {
      await writeControl(directory, 'cgroup.procs', String(pid))
    } catch (error) {
      if (!(error instanceof ProcmusterError)) throw error
      warnings.push(`${shown} could not be joined (${errnoName(error.errno ?? 0)})`)
    }
  }
  return warnings
}

function mountOf(
  { controllers }: CgroupSpec,
  mounts: readonly CgroupHierarchy[],
): CgroupHierarchy | undefined {
  if (controllers === '') return mounts.find(({ version }) => version === 2)
  const names = controllers.split(',')
  return mounts.find((each) => each.version === 1 && names.every((name) => each.controllers.includes(name)))
}
