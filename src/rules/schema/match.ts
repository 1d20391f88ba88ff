import { z } from 'zod'
import { STATES } from '../language/names.js'
import type { Match, MatchLeaf } from '../match/ast.js'
import { checkGlobOrPattern, checkName, checkPathGlob, checkPattern } from './patterns.js'
import { takenBy } from './texts.js'

type OneOrMany<T> = T | readonly T[]

/** Which processes a rule is about: all keys have to fit; of a list any one. */
export interface MatchSpec {
  readonly pid?: number | undefined
  /** With the pid: that very process and no successor. */
  readonly startTicks?: number | undefined
  /** This process and its descendants. */
  readonly subtree?: OneOrMany<number> | undefined
  /** The whole process name, or a pattern between slashes: `/^worker/`, `/^java$/i`. */
  readonly name?: OneOrMany<string> | undefined
  /** A pattern, tried on the arguments joined by spaces. */
  readonly commandLine?: OneOrMany<string> | undefined
  /** Path of the executable: a glob, or a pattern between slashes. */
  readonly exe?: OneOrMany<string> | undefined
  /** A user's name or uid: the effective user. */
  readonly user?: OneOrMany<string | number> | undefined
  readonly uid?: OneOrMany<number> | undefined
  /** Path in the cgroup hierarchy: a glob, or a pattern between slashes. */
  readonly cgroup?: OneOrMany<string> | undefined
  /** A unit of systemd: a glob, or a pattern between slashes. */
  readonly unit?: OneOrMany<string> | undefined
  /** A container's id: a glob, or a pattern between slashes. */
  readonly container?: OneOrMany<string> | undefined
  /** A supervised program: a glob, or a pattern between slashes. */
  readonly program?: OneOrMany<string> | undefined
  readonly session?: OneOrMany<number> | undefined
  readonly processGroup?: OneOrMany<number> | undefined
  /** State letters: `D`, `DZ`. */
  readonly state?: string | undefined
  readonly all?: readonly MatchSpec[] | undefined
  readonly any?: readonly MatchSpec[] | undefined
  readonly not?: MatchSpec | undefined
}

/** What stands at the top of a match besides: kernel threads are left out unless asked for. */
export interface RuleMatchSpec extends MatchSpec {
  /** `true`: kernel threads too; `only`: nothing else. */
  readonly kernelThreads?: boolean | 'only' | undefined
}

const oneOrMany = <T extends z.ZodType>(schema: T) =>
  z.union([schema, z.array(schema).min(1).max(256)]).optional()
const text = (check: (text: string) => void) =>
  z
    .string()
    .min(1)
    .max(1024)
    .refine(...takenBy(check))
const id = z.int().min(0)
const user = z.union([z.string().min(1).max(256), id])

const globOrPattern = oneOrMany(text(checkGlobOrPattern))
const pathGlob = oneOrMany(text(checkPathGlob))

const keys = {
  pid: z.int().positive().optional().describe('The process of this pid, and after a restart its successor'),
  startTicks: z.number().min(0).optional().describe('With pid: that very process and no successor'),
  subtree: oneOrMany(z.int().positive()).describe('This process and its descendants'),
  name: oneOrMany(
    z
      .string()
      .min(1)
      .max(256)
      .refine(...takenBy(checkName)),
  ).describe('The whole process name, or a pattern between slashes'),
  commandLine: oneOrMany(text((source) => checkPattern(source))).describe(
    'A pattern (RE2), tried on the arguments joined by spaces',
  ),
  exe: pathGlob.describe('Path of the executable: a glob, or a pattern between slashes'),
  user: oneOrMany(user).describe('Name or uid of the effective user'),
  uid: oneOrMany(id).describe('Effective user id'),
  cgroup: pathGlob.describe('Control group path: a glob, or a pattern between slashes'),
  unit: globOrPattern.describe('systemd unit: a glob, or a pattern between slashes'),
  container: globOrPattern.describe('Container id: a glob, or a pattern between slashes'),
  program: globOrPattern.describe('Supervised program: a glob, or a pattern between slashes'),
  session: oneOrMany(id).describe('Session id'),
  processGroup: oneOrMany(id).describe('Process group id'),
  state: z
    .string()
    .regex(new RegExp(`^[${STATES}]{1,12}$`), { error: `give state letters of ${[...STATES].join(' ')}` })
    .optional()
    .describe('State letters, for example D or DZ'),
  get all() {
    return z.array(partSchema).min(1).max(256).optional().describe('All of these')
  },
  get any() {
    return z.array(partSchema).min(1).max(256).optional().describe('Any of these')
  },
  get not() {
    return partSchema.optional().describe('Not this')
  },
}

const hasPid = (match: MatchSpec): boolean => match.startTicks === undefined || match.pid !== undefined
const needsPid = { error: 'startTicks needs a pid', path: ['startTicks'] }

const partSchema: z.ZodType<MatchSpec, MatchSpec> = z.strictObject(keys).refine(hasPid, needsPid)

export const matchSchema: z.ZodType<RuleMatchSpec, RuleMatchSpec> = z
  .strictObject({
    ...Object.defineProperties({} as typeof keys, Object.getOwnPropertyDescriptors(keys)),
    kernelThreads: z
      .union([z.boolean(), z.literal('only')], { error: 'give true, false or only' })
      .optional()
      .describe('true: kernel threads too; only: nothing else'),
  })
  .refine(hasPid, needsPid)

/** The tree that a match stands for. */
export function matchTree(spec: RuleMatchSpec): Match & { kind: 'all' } {
  const parts = partsOf(spec)
  if (spec.kernelThreads === 'only') parts.push({ kind: 'kernelThread' })
  return { kind: 'all', parts }
}

function partsOf(spec: MatchSpec): Match[] {
  const { pid, startTicks, state } = spec
  const parts: Match[] = []
  const add = <T>(values: OneOrMany<T> | undefined, leaf: (value: T) => MatchLeaf): void => {
    if (values === undefined) return
    const leaves = (Array.isArray(values) ? (values as readonly T[]) : [values as T]).map(leaf)
    parts.push(leaves.length === 1 ? leaves[0]! : { kind: 'any', parts: leaves })
  }
  if (pid !== undefined) parts.push({ kind: 'pid', pid, startTicks })
  add(spec.subtree, (root) => ({ kind: 'subtree', pid: root, startTicks: undefined }))
  add(spec.name, (pattern) => ({ kind: 'name', pattern }))
  for (const fact of ['commandLine', 'exe', 'cgroup', 'unit', 'container', 'program'] as const) {
    add(spec[fact], (pattern) => ({ kind: 'text', fact, pattern }))
  }
  add(spec.user, (each) => ({ kind: 'user', user: each }))
  add(spec.uid, (uid) => ({ kind: 'user', user: uid }))
  add(spec.session, (sid) => ({ kind: 'session', sid }))
  add(spec.processGroup, (pgid) => ({ kind: 'processGroup', pgid }))
  if (state !== undefined) parts.push({ kind: 'state', states: state })
  if (spec.all !== undefined) parts.push({ kind: 'all', parts: spec.all.map(partOf) })
  if (spec.any !== undefined) parts.push({ kind: 'any', parts: spec.any.map(partOf) })
  if (spec.not !== undefined) parts.push({ kind: 'not', part: partOf(spec.not) })
  return parts
}

function partOf(spec: MatchSpec): Match {
  const parts = partsOf(spec)
  return parts.length === 1 ? parts[0]! : { kind: 'all', parts }
}
