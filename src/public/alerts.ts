export { JUDGING_RULE } from '../alerts/alert.js'
export type { AlertQuery } from '../alerts/alert_book.js'
export type { FoldedAlerts } from '../alerts/alert_fold.js'
export type { AlertNote } from '../alerts/alerting.js'
export { type AlertHistory, type HistoryQuery, type ListedAlert, readAlerts } from '../alerts/history.js'
export type { NotifierStats } from '../alerts/notifiers/notifiers.js'
export type { EngineRequest } from '../alerts/requests/request.js'
export {
  isJournalInUse,
  type RequestAnswer,
  type SendOptions,
  type SentRequest,
  sendRequest,
} from '../alerts/requests/send.js'
export { readRequests, type WaitingRequest, withdrawRequest } from '../alerts/requests/waiting.js'
export type { Silence, SilenceMatch, SilenceRequest } from '../alerts/silences.js'
