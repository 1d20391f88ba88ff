import { type EngineRequest, JUDGING_RULE, readAlerts } from '../../public/alerts.js'
import { readJournal } from '../../public/journal.js'
import { insteadOf } from '../../public/text.js'
import { EXIT } from '../exit_codes.js'
import { fail } from '../fault.js'
import { escapeForTerminal } from '../terminal.js'

/**
 * While no watch runs the journal knows what the next could find: a request for anything else would wait for nothing. But for a
 * silence: the next can have other rules than the last.
 */
export async function refuseUnknown(journal: string, request: EngineRequest): Promise<void> {
  const reason = await reasonAgainst(journal, request)
  if (reason !== undefined)
    fail(EXIT.noSuchProcess, `${escapeForTerminal(reason)} (no watch runs on this journal)`)
}

async function reasonAgainst(journal: string, request: EngineRequest): Promise<string | undefined> {
  switch (request.type) {
    case 'acknowledge':
      return alertReason(journal, request.alertId)
    case 'unsilence': {
      const ids = (await readAlerts(journal)).silences.map(({ id }) => id)
      if (ids.includes(request.silenceId)) return undefined
      return `no silence ${JSON.stringify(request.silenceId)} is in force${insteadOf(request.silenceId, ids)}`
    }
    case 'silence': {
      const { rule = JUDGING_RULE } = request.match
      const unknown = rule === JUDGING_RULE ? undefined : ruleReason(rule, (await readRules(journal)).names)
      if (unknown !== undefined) note(`${unknown} (in the last run); a start without it refuses the request`)
      return undefined
    }
    case 'resume': {
      const { names, suspended } = await readRules(journal)
      const nothing = `no restarts of rule ${JSON.stringify(request.rule)} are suspended or given up`
      return ruleReason(request.rule, names) ?? (suspended.has(request.rule) ? undefined : nothing)
    }
  }
}

function note(text: string): void {
  process.stderr.write(`muster: ${escapeForTerminal(text)}\n`)
}

async function alertReason(journal: string, id: string): Promise<string | undefined> {
  const { alerts } = await readAlerts(journal)
  const open = alerts.filter(({ state }) => state !== 'resolved').map((alert) => alert.id)
  if (open.includes(id)) return undefined
  const isOver = alerts.some((alert) => alert.id === id)
  return `${isOver ? `alert ${JSON.stringify(id)} is resolved` : `there is no alert ${JSON.stringify(id)}`}${insteadOf(id, open)}`
}

function ruleReason(rule: string, names: ReadonlySet<string>): string | undefined {
  // A journal without a run says nothing of the rules to come.
  if (names.size === 0 || names.has(rule)) return undefined
  return `there is no rule ${JSON.stringify(rule)}${insteadOf(rule, [...names])}`
}

/** The rules of the last run and of its alerts, and those of them whose restarts wait. */
async function readRules(journal: string): Promise<{ names: Set<string>; suspended: Set<string> }> {
  let names = new Set<string>()
  const waiting = new Map<string, { rule: string; untilMs: number }>()
  for await (const record of readJournal(journal, { without: new Set(['decision', 'self']) })) {
    switch (record.type) {
      case 'engine-start':
        names = new Set(record.rules)
        break
      case 'rules':
        for (const name of record.added) names.add(name)
        for (const name of record.removed) names.delete(name)
        break
      case 'alert':
        if (record.alert.rule !== JUDGING_RULE) names.add(record.alert.rule)
        break
      case 'suspended':
      case 'resumed': {
        const { scope, rule, identity } = record
        const key = scope === 'rule' ? rule : `${identity?.pid} ${identity?.startTicks} ${rule}`
        if (record.type === 'resumed') waiting.delete(key)
        else if (scope !== 'host') waiting.set(key, record)
      }
    }
  }
  const nowMs = Date.now()
  const left = [...waiting.values()].filter(({ untilMs }) => untilMs > nowMs)
  return { names, suspended: new Set(left.map(({ rule }) => rule)) }
}
