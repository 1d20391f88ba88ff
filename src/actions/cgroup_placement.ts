import { open, readFile } from 'node:fs/promises'
import type { CgroupSpec } from './restart_spec.js'

/** Puts a process into the cgroups of another one. Returns a warning for each hierarchy where that failed. */
export async function placeInCgroups(pid: number, cgroups: readonly CgroupSpec[]): Promise<string[]> {
  const current = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')
  const already = new Set(current.split('\n').map((line) => line.slice(line.indexOf(':') + 1)))
  const mounts = parseMounts(await readFile('/proc/self/mountinfo', 'utf8').catch(() => ''))
  const warnings: string[] = []
  for (const cgroup of cgroups) {
    if (already.has(`${cgroup.controllers}:${cgroup.path}`)) continue
    const shown = `cgroup ${cgroup.controllers || 'v2'}:${JSON.stringify(cgroup.path)}`
    const directory = directoryOf(cgroup, mounts)
    if (directory === undefined) {
      warnings.push(`${shown} is not mounted here`)
      continue
    }
    try {
      const file = await open(`${directory}/cgroup.procs`, 'r+')
      await file.write(String(pid)).finally(() => file.close())
    } catch (error) {
      warnings.push(`${shown} could not be joined (${(error as NodeJS.ErrnoException).code})`)
    }
  }
  return warnings
}

interface Mount {
  readonly root: string
  readonly point: string
  readonly type: string
  readonly options: readonly string[]
}

/** proc_pid_mountinfo(5): the part after " - " has type and options. */
function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [front, back] = line.split(' - ')
    if (back === undefined) return []
    const fields = front!.split(' ')
    const [type, , options] = back.split(' ')
    if (type !== 'cgroup' && type !== 'cgroup2') return []
    return [
      { root: unescapePath(fields[3]!), point: unescapePath(fields[4]!), type, options: options!.split(',') },
    ]
  })
}

function unescapePath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

function directoryOf(cgroup: CgroupSpec, mounts: readonly Mount[]): string | undefined {
  // Outside of our cgroup namespace.
  if (cgroup.path.startsWith('/..')) return undefined
  const mount = mounts.find((each) =>
    cgroup.controllers === ''
      ? each.type === 'cgroup2'
      : each.type === 'cgroup' && cgroup.controllers.split(',').every((name) => each.options.includes(name)),
  )
  if (mount === undefined) return undefined
  if (mount.root === '/') return `${mount.point}${cgroup.path}`
  const inside = cgroup.path === mount.root || cgroup.path.startsWith(`${mount.root}/`)
  return inside ? `${mount.point}${cgroup.path.slice(mount.root.length)}` : undefined
}
