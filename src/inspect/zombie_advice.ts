import { NUMBER, RECORD } from '../arguments.js'
/** `default`: it does not hear of it. `blocked`: the signal waits, as for a process that reads a signalfd. */
export type SigchldHandling = 'caught' | 'blocked' | 'ignored' | 'default'

/** What advice about the zombies of one parent takes. */
export interface ZombieFacts {
  readonly parent:
    | {
        readonly pid: number
        readonly name: string
        /** Letter, proc_pid_stat(5) field 3. */
        readonly state: string
        readonly sigchld?: SigchldHandling | undefined
      }
    | undefined
  /** Zombies of that parent. */
  readonly zombies: number
}

const STATES: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'sleeping',
  D: 'in an uninterruptible wait',
  T: 'stopped',
  t: 'stopped by a debugger',
  Z: 'a zombie itself',
  I: 'idle',
}

/** What to do about a zombie, a line each. Names are as the kernel has them: escape them for a terminal. */
export function zombieAdvice(facts: ZombieFacts): string[] {
  RECORD('the facts', facts)
  const { parent, zombies } = facts
  NUMBER('zombies', zombies)
  const what =
    'a zombie has ended already and cannot be killed; its entry stays until its parent waits for it'
  if (parent === undefined) return [what, 'its parent is not to be seen from here (another PID namespace)']
  const { pid, name, state } = parent
  const who = `${JSON.stringify(name)} (pid ${pid}, ${STATES[state] ?? `state ${state}`})`
  const count = zombies === 1 ? 'one zombie' : `${zombies} zombies`
  return [what, `the parent is ${who}; it has ${count}`, ...remedies(parent)]
}

function remedies({ pid, state, sigchld }: NonNullable<ZombieFacts['parent']>): string[] {
  if (pid === 1) {
    return [
      'pid 1 has to reap what is left to it: give the container an init that does (docker run --init, tini)',
    ]
  }
  const restart = 'restart the parent: what it leaves behind is reaped by init'
  switch (state) {
    case 'T':
    case 't':
      return [`the parent is stopped and cannot wait for anybody: continue it (kill -CONT ${pid})`, restart]
    case 'D':
      return ['the parent is stuck in the kernel: see to that first, signals do not reach it']
    case 'Z':
      return ["only the parent's main thread has ended: end its other threads, or the whole process"]
  }
  switch (sigchld) {
    case 'caught':
      return [
        `a nudge may help (\`muster zombies ${pid} --nudge\`, or the action nudgeParent): it listens to SIGCHLD`,
        restart,
      ]
    case 'blocked':
      return [
        `it holds SIGCHLD back for now; a nudge (\`muster zombies ${pid} --nudge\`) helps if it looks for it`,
        restart,
      ]
    case 'default':
    case 'ignored':
      return ['it does not listen to SIGCHLD: a nudge will hardly help', restart]
    default:
      return [`a nudge may help (\`muster zombies ${pid} --nudge\`, or the action nudgeParent)`, restart]
  }
}
