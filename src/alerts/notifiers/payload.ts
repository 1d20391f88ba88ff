import { hostname } from 'node:os'
import { safeJson } from '../../printable.js'
import type { Alert } from '../alert.js'

/** Of what notifiers send; another one when a key changes its meaning. */
const PAYLOAD_VERSION = 1

/** What notifiers send: the alert and where it comes from, as JSON on one line without control characters. */
export function payloadOf(alert: Alert): string {
  return safeJson({ version: PAYLOAD_VERSION, host: hostname(), ...alert })
}
