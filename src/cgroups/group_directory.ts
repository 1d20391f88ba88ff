import { mkdir, rmdir } from 'node:fs/promises'
import { checkInside, childGroups, controlError, readControl, writeControl } from './files.js'
import type { GroupPlace, PlaceName } from './group_place.js'

/** Makes its directory, and those above it. */
export async function makeGroup(place: GroupPlace, names: readonly PlaceName[]): Promise<void> {
  const { version, directory, mountPoint } = place
  const below = directory
    .slice(mountPoint.length)
    .split('/')
    .filter((part) => part !== '')
  let at = mountPoint
  for (const part of below) {
    if (version === 2) await handDown(at, names)
    at = `${at}/${part}`
    try {
      await mkdir(at)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw controlError('make', at, error)
    }
    await checkInside(at, mountPoint)
  }
}

/** Lets the groups below one have these controllers. cgroups(7), "Cgroups v2 cgroup.subtree_control". */
export async function handDown(directory: string, names: readonly string[]): Promise<void> {
  const given = (await readControl(directory, 'cgroup.subtree_control')).split(/\s+/)
  const lacking = names.filter((name) => name !== 'freezer' && name !== 'cpuacct' && !given.includes(name))
  if (lacking.length === 0) return
  await writeControl(directory, 'cgroup.subtree_control', lacking.map((name) => `+${name}`).join(' '), {
    EBUSY: 'it has processes of its own; move them into a group below it first',
    ENOENT: `it does not have ${lacking.join(', ')} itself`,
  })
}

/** @throws ProcmusterError `BUSY`, `ACCESS_DENIED` */
export async function removeGroup(directory: string, recursive = false): Promise<void> {
  if (recursive)
    for (const name of await childGroups(directory)) await removeGroup(`${directory}/${name}`, true)
  try {
    await rmdir(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw controlError('remove', directory, error, {
      EBUSY: 'it has processes, or groups below it; kill or move them first, or remove recursively',
    })
  }
}
