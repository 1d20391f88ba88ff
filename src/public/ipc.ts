export { type IpcListing, listIpc } from '../ipc/list.js'
export { findSegmentMappers, type SegmentMappers } from '../ipc/mappers.js'
export { listPosixIpc, type PosixIpcListing, type PosixIpcObject } from '../ipc/posix.js'
export { type IpcResult, removeIpc } from '../ipc/remove.js'
export type {
  IpcIdentity,
  IpcKind,
  IpcUser,
  MessageQueue,
  SemaphoreSet,
  SharedMemorySegment,
} from '../ipc/sysv.js'
