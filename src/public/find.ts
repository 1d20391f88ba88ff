export { type DescriptorOwner, findSocketOwners } from '../inspect/descriptor_owners.js'
export { type FileUser, findByFile } from '../inspect/find_by_file.js'
export { findByPort, type PortSearchOptions, type PortUse } from '../inspect/find_by_port.js'
export { type DeletedFileUser, findDeleted } from '../inspect/find_deleted.js'
export { findProcesses, needsTable, type ProcessQuery } from '../inspect/find_processes.js'
export { findByLibrary, type Library, type LibraryUser } from '../inspect/libraries.js'
export {
  findByNamespace,
  listNamespaces,
  type NamespaceGroup,
  type NamespaceMember,
} from '../inspect/namespaces.js'
export { findPipePeers, type PipeEnd, type PipePeers } from '../inspect/pipe_peers.js'
export type { Found, SearchOptions, UnreadableProcess } from '../inspect/scan.js'
export { findSocketPeers, type SocketPeers } from '../inspect/socket_peers.js'
