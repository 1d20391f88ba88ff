export { cellWidth, escapeForTerminal, safeJson, truncate } from '../printable.js'
export { insteadOf, nearestWord } from '../spelling.js'
export {
  type ClauseToWord,
  wordedBytes,
  wordedClause,
  wordedClauses,
  wordedComparison,
  wordedDuration,
  wordedQuantity,
} from '../words.js'
