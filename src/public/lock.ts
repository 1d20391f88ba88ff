export { lockFile } from '../file_lock.js'
