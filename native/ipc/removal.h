// Removal of System V IPC objects, sysvipc(7).
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace procmuster {

// The order of IPC_KINDS in src/ipc/sysv.ts.
enum class IpcKind : int32_t { kMessageQueue = 0, kSharedMemory = 1, kSemaphores = 2 };

// An id can be given to another object once this one is gone: key and time of the last change tell them
// apart.
struct IpcObject {
  IpcKind kind;
  int id;
  key_t key;
  int64_t changed_at;  // epoch seconds, ctime of /proc/sysvipc
};

// The order of `RemovalStep` in src/ipc/remove.ts.
enum class RemovalStep : int32_t { kDone = 0, kStat = 1, kMismatch = 2, kInUse = 3, kRemove = 4 };

struct Removal {
  RemovalStep step;
  int error;
};

// In use: a segment that is attached, a set that somebody waits for. The kernel does not say who waits for a
// queue.
Removal RemoveIpc(const IpcObject& object, bool force);

}  // namespace procmuster
