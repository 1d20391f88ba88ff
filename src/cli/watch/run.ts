import type { Engine, Rule } from '../../index.js'
import { EXIT } from '../exit_codes.js'
import type { StopSignals } from '../stop_signals.js'
import { ConfigWatch } from './config_watch.js'
import { startEngine } from './engine_start.js'
import { ownUse, ownUseText, stayOutOfTheWay } from './own_use.js'
import type { WatchPlan } from './plan.js'
import { Reload } from './reload.js'
import type { Reporter } from './report.js'
import { Session } from './session.js'
import { describePlan, sourcesUsed } from './words.js'

/** Runs a checked watch until a signal, an end of its own, or (with --once) the end of one look. */
export async function runWatch(plan: WatchPlan, reporter: Reporter, stop: StopSignals): Promise<number> {
  const engine = await startEngine(plan)
  // Once its threads are there: on a busy host a start at low priority would take long, and miss the breach.
  if (plan.flags.lowerOwnPriority) stayOutOfTheWay(plan.rules, { mayChange: plan.readsAgain })
  const session = new Session(plan, reporter, engine)
  try {
    reporter.note(...describePlan(plan, engine))
    using _ = await readAgain(plan, { reporter, engine, session, stop })
    await session.ended(stop.signal)
    if (stop.name) {
      reporter.note(`${stop.name}: stopping; an action under way is finished first, unless told once more`, {
        type: 'stopping',
        signal: stop.name,
      })
    }
  } finally {
    await engine.close()
    reporter.end()
  }
  const exitCode = session.exitCode ?? stop.exitCode ?? EXIT.ok
  const { stats } = engine
  const { ticks: looks, missedTicks: missedLooks, lifecycle } = stats
  const { text } = sourcesUsed(stats)
  reporter.note(`stopped after ${session.tally.text(stats)}; ${ownUseText()}; ${text}`, {
    ...{ type: 'watch-stop', exitCode, looks, missedLooks, ...session.tally.counts, ...ownUse() },
    ...{ source: stats.sampler.source, lifecycle },
  })
  return exitCode
}

interface Running {
  readonly reporter: Reporter
  readonly engine: Engine
  readonly session: Session
  readonly stop: StopSignals
}

/** The rules of a file that can be read again are, when it changes and at SIGHUP. */
async function readAgain(
  plan: WatchPlan,
  { reporter, engine, session, stop }: Running,
): Promise<Disposable | undefined> {
  const { config, flags, readsAgain } = plan
  const { config: file } = flags
  if (!readsAgain || config === undefined || file === undefined) return undefined
  const onRules = (rules: readonly Rule[]) => session.useRules(rules)
  const reload = new Reload({ ...{ plan, file, config, engine, reporter }, onRules })
  const watch = await ConfigWatch.open(file, () => void reload.run(false))
  stop.onHangup = () => void reload.run(true)
  // What has changed since the watch began to start.
  void reload.run(false)
  return {
    [Symbol.dispose]() {
      reload[Symbol.dispose]()
      watch[Symbol.dispose]()
    },
  }
}
