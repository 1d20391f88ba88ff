export { type ErrorCode, type ErrorDetails, ProcmusterError } from '../errors.js'
