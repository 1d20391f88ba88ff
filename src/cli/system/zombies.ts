import { nudgeParent } from '../../public/actions.js'
import { ProcmusterError } from '../../public/errors.js'
import { findZombies, type ZombieGroup, zombieAdvice, zombieFacts } from '../../public/inspect.js'
import { Sampler } from '../../public/sampler.js'
import { EXIT, exitCodeOf } from '../exit_codes.js'
import { FaultList, messageOf } from '../fault.js'
import { printJson } from '../inspect/json.js'
import { readPid } from '../inspect/target.js'
import { failUnseen } from '../no_such_process.js'
import { fineDuration } from '../quantities.js'
import { escapeForTerminal, widthOf } from '../terminal.js'
import { hanging } from '../wrap.js'

/** As commander hands them over. */
export interface RawZombies {
  nudge?: boolean
  json?: boolean
}

/** What came of nudging a parent: how many signals it got, and how many of its zombies are left. */
type Outcome =
  | { readonly ok: true; readonly sent: number; readonly tookMs: number; readonly left: number }
  | { readonly ok: false; readonly error: ProcmusterError }

/** `muster zombies` with what the user gave. */
export async function tellZombies(word: string | undefined, raw: RawZombies): Promise<void> {
  const faults = new FaultList()
  const pid = word === undefined ? undefined : readPid(word, faults)
  faults.throwIfAny()
  await using sampler = await Sampler.open({ source: 'procfs' })
  const table = await sampler.sample()
  if (pid !== undefined && table.get(pid) === undefined) {
    await failUnseen([pid])
  }
  const groups = findZombies(table).filter(({ parent }) => pid === undefined || parent?.identity.pid === pid)
  // Before the nudge: a parent may end by it.
  const facts = await Promise.all(groups.map(zombieFacts))
  const nudged = raw.nudge === true ? await nudgeAll(groups, sampler) : undefined
  const records = groups.map((group, index) => ({
    group,
    sigchld: facts[index]!.parent?.sigchld,
    advice: zombieAdvice(facts[index]!),
    outcome: nudged?.[index],
  }))
  if (raw.json === true) printJson(records.map(toJson))
  else process.stdout.write(textOf(records))
  for (const outcome of nudged ?? []) {
    if (!outcome.ok) faults.add(exitCodeOf[outcome.error.code] ?? EXIT.failure, messageOf(outcome.error))
    else if (outcome.left > 0) process.exitCode = EXIT.failure
  }
  faults.throwIfAny()
}

async function nudgeAll(groups: readonly ZombieGroup[], sampler: Sampler): Promise<Outcome[]> {
  const nudges = await Promise.all(groups.map(({ zombies }) => nudge(zombies)))
  const table = await sampler.sample()
  return groups.map(({ zombies }, index): Outcome => {
    const result = nudges[index]!
    if (result instanceof ProcmusterError) return { ok: false, error: result }
    const isLeft = ({ identity }: ZombieGroup['zombies'][number]): boolean =>
      table.get(identity.pid)?.startTicks === identity.startTicks
    return { ok: true, ...result, left: zombies.filter(isLeft).length }
  })
}

/** Nudges for as long as it helps: a parent that waits once for each signal needs one for each zombie. */
async function nudge(
  zombies: ZombieGroup['zombies'],
): Promise<{ sent: number; tookMs: number } | ProcmusterError> {
  let sent = 0
  let tookMs = 0
  for (const { identity } of zombies) {
    try {
      const result = await nudgeParent(identity)
      sent++
      tookMs += result.tookMs
      if (!result.reaped) break
    } catch (error) {
      if (!(error instanceof ProcmusterError)) throw error
      // Gone: reaped with one before it.
      if (error.code !== 'PROCESS_GONE') return error
    }
  }
  return { sent, tookMs }
}

interface Told {
  readonly group: ZombieGroup
  readonly sigchld: string | undefined
  readonly advice: readonly string[]
  readonly outcome: Outcome | undefined
}

function toJson({ group: { parent, zombies }, sigchld, advice, outcome }: Told): unknown {
  return {
    parent: parent && { ...idOf(parent), state: parent.state, sigchld },
    zombies: zombies.map(idOf),
    advice,
    ...(outcome !== undefined && {
      nudge: outcome.ok ? outcome : { ok: false, error: errorOf(outcome.error) },
    }),
  }
}

const idOf = ({ identity: { pid, startTicks }, name }: ZombieGroup['zombies'][number]) => ({
  pid,
  startTicks,
  name,
})

const SHOWN = 12

function textOf(records: readonly Told[]): string {
  const [first] = records
  if (first === undefined) return 'no zombies\n'
  // The first line of each advice says what a zombie is, the second whose these are.
  const paragraphs = records.map(({ group: { zombies }, advice: [, whose, ...steps], outcome }) => {
    const names = zombies.slice(0, SHOWN).map(({ identity, name }) => `${identity.pid} ${name || '-'}`)
    const more = zombies.length > SHOWN ? `, ${zombies.length - SHOWN} more` : ''
    return [
      whose!,
      `  zombies: ${names.join(', ')}${more}`,
      ...steps.map((step) => `  ${step}`),
      ...(outcome === undefined ? [] : [`  nudge: ${wordedOutcome(outcome, zombies.length)}`]),
    ]
  })
  const width = widthOf(process.stdout)
  const blocks = [[first.advice[0]!], ...paragraphs]
  const broken = (line: string) => hanging(/^ */.exec(line)![0], escapeForTerminal(line.trimStart()), width)
  return blocks.map((lines) => `${lines.flatMap(broken).join('\n')}\n`).join('\n')
}

function wordedOutcome(outcome: Outcome, zombies: number): string {
  if (!outcome.ok) return 'not sent'
  const { sent, tookMs, left } = outcome
  const after = `${sent} SIGCHLD, ${fineDuration(tookMs)}`
  return left === 0
    ? `all ${zombies} were reaped (${after})`
    : `${left} of ${zombies} are still there (${after})`
}

const errorOf = (error: ProcmusterError) => ({ code: error.code, message: messageOf(error) })
