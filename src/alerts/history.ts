import { type Checks, checkQuery, LIMIT, NUMBER, oneOf, PATH, TEXT } from '../arguments.js'
import { forgetOldest } from '../forget_oldest.js'
import { readJournal } from '../journal/reader.js'
import { UNFOLDED } from '../journal/recover.js'
import type { Alert, AlertState } from './alert.js'
import { type AlertQuery, isWanted } from './alert_book.js'
import { AlertFold } from './alert_fold.js'
import { type Silence, Silences } from './silences.js'

/** Of alerts that are over so many are kept while a journal is read. */
const MOST_KEPT = 100_000

/** `unknown`: the run that raised it ended before the alert did, and a later run has not raised it again. */
export type ListedAlert = Omit<Alert, 'state'> & { readonly state: AlertState | 'unknown' }

export interface AlertHistory {
  /** Newest first. */
  readonly alerts: readonly ListedAlert[]
  /** Those in force now. */
  readonly silences: readonly Silence[]
  /** Alerts that fit the query; more than there are in `alerts` when a limit has cut those. */
  readonly found: number
  /** Lines of the journal that could not be read as records; what they said is missing here. */
  readonly badLines: number
}

/** As `AlertQuery`; `unknown` can be asked for too. */
export type HistoryQuery = Omit<AlertQuery, 'state'> & { readonly state?: ListedAlert['state'] | undefined }

const CHECKS: Checks<HistoryQuery> = {
  severity: oneOf(['info', 'warning', 'critical']),
  rule: TEXT,
  pid: NUMBER,
  startTicks: NUMBER,
  limit: LIMIT,
  state: oneOf(['pending', 'firing', 'resolved', 'unknown']),
}

/**
 * The alerts that a journal tells of, of all runs; an engine may be writing it.
 * @throws ProcmusterError `NOT_FOUND`, `ACCESS_DENIED`, `IO_ERROR`
 */
export async function readAlerts(journal: string, query: HistoryQuery = {}): Promise<AlertHistory> {
  PATH('the journal', journal)
  checkQuery(query, CHECKS)
  const fold = new AlertFold()
  const alerts = new Map<string, Alert>()
  let current = new Set<string>()
  const reader = readJournal(journal, { without: UNFOLDED })
  for await (const record of reader) {
    fold.add(record)
    if (record.type === 'engine-start') current = new Set()
    if (record.type !== 'alert' && record.type !== 'alert-resolved' && record.type !== 'acknowledged')
      continue
    const { alert } = record
    if (record.type === 'alert') current.add(alert.id)
    alerts.set(alert.id, alert)
    forgetOldest(alerts, MOST_KEPT)
  }
  const { firing, silences: kept } = fold.state
  const silences = new Silences()
  for (const silence of kept) silences.add(silence)
  const nowMs = Date.now()
  const firingIds = new Set(firing.map(({ id }) => id))
  const listed = [...alerts.values()].map((alert): ListedAlert => {
    if (alert.state !== 'firing') return alert
    if (!firingIds.has(alert.id) || !current.has(alert.id)) return { ...alert, state: 'unknown' }
    return { ...alert, silencedBy: silences.silencing(alert, nowMs) }
  })
  const { state, ...rest } = query
  const wanted = listed
    .filter((alert) => (state === undefined || alert.state === state) && isWanted(alert as Alert, rest))
    .sort((a, b) => b.atMs - a.atMs)
  return {
    alerts: wanted.slice(0, query.limit),
    found: wanted.length,
    silences: silences.list(nowMs),
    badLines: reader.badLines,
  }
}
