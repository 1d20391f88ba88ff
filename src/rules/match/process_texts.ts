import { type CgroupPlace, parseCgroup } from '../../inspect/cgroup_path.js'
import type { ProcessFacts } from '../../inspect/process_facts.js'
import type { TextFact } from './ast.js'
import { COMMAND_LINE_LIMIT, type Texts } from './text_matcher.js'

/** Texts of a process from what was read of it. */
export function textsOf({ commandLine, exe, cgroup }: ProcessFacts, facts: ReadonlySet<TextFact>): Texts {
  const place = placeOf(cgroup, facts)
  const all: Texts = {
    commandLine: commandLine?.slice(0, COMMAND_LINE_LIMIT),
    exe,
    cgroup: place?.path,
    unit: place && (place.unit ?? null),
    container: place && (place.container ?? null),
    program: exe === undefined ? undefined : programOf(exe),
  }
  return Object.fromEntries(Object.entries(all).filter(([fact]) => facts.has(fact as TextFact)))
}

function placeOf(cgroup: string | undefined, facts: ReadonlySet<TextFact>): CgroupPlace | undefined {
  const isAsked = facts.has('cgroup') || facts.has('unit') || facts.has('container')
  return cgroup === undefined || !isAsked ? undefined : parseCgroup(cgroup)
}

/** The file name of an executable, also of one that has been replaced since. */
export function programOf(exe: string): string {
  const path = exe.replace(/ \(deleted\)$/, '')
  return path.slice(path.lastIndexOf('/') + 1)
}
