export { lowerOwnPriority, type OwnPriority } from './control/own_priority.js'
export { type ErrorCode, type ErrorDetails, ProcmusterError } from './errors.js'
export type { ProcessIdentity } from './table/identity.js'
export type { ColumnGroup, ColumnInfo, ColumnName, Columns, OptionalGroup } from './table/layout.js'
