#include "ipc/removal.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include <cerrno>

namespace procmuster {
namespace {

// semctl(2): the caller has to declare it.
union SemaphoreArgument {
  int value;
  semid_ds* set;
};

struct Facts {
  key_t key = 0;
  int64_t changed_at = 0;
  bool in_use = false;
};

int StatQueue(int id, Facts* facts) {
  msqid_ds queue;
  if (msgctl(id, IPC_STAT, &queue) != 0) return errno;
  *facts = {queue.msg_perm.__key, queue.msg_ctime, false};
  return 0;
}

int StatSegment(int id, Facts* facts) {
  shmid_ds segment;
  if (shmctl(id, IPC_STAT, &segment) != 0) return errno;
  *facts = {segment.shm_perm.__key, segment.shm_ctime, segment.shm_nattch > 0};
  return 0;
}

int StatSet(int id, Facts* facts) {
  semid_ds set;
  SemaphoreArgument argument;
  argument.set = &set;
  if (semctl(id, 0, IPC_STAT, argument) != 0) return errno;
  bool in_use = false;
  for (int number = 0; !in_use && number < static_cast<int>(set.sem_nsems); number++) {
    in_use = semctl(id, number, GETNCNT) > 0 || semctl(id, number, GETZCNT) > 0;
  }
  *facts = {set.sem_perm.__key, set.sem_ctime, in_use};
  return 0;
}

int Stat(const IpcObject& object, Facts* facts) {
  switch (object.kind) {
    case IpcKind::kMessageQueue:
      return StatQueue(object.id, facts);
    case IpcKind::kSharedMemory:
      return StatSegment(object.id, facts);
    case IpcKind::kSemaphores:
      return StatSet(object.id, facts);
  }
  return EINVAL;
}

int Remove(const IpcObject& object) {
  int result = -1;
  switch (object.kind) {
    case IpcKind::kMessageQueue:
      result = msgctl(object.id, IPC_RMID, nullptr);
      break;
    case IpcKind::kSharedMemory:
      result = shmctl(object.id, IPC_RMID, nullptr);
      break;
    case IpcKind::kSemaphores:
      result = semctl(object.id, 0, IPC_RMID);
      break;
  }
  return result == 0 ? 0 : errno;
}

}  // namespace

Removal RemoveIpc(const IpcObject& object, bool force) {
  Facts facts;
  if (int error = Stat(object, &facts)) return {RemovalStep::kStat, error};
  if (facts.key != object.key || facts.changed_at != object.changed_at) return {RemovalStep::kMismatch, 0};
  if (facts.in_use && !force) return {RemovalStep::kInUse, 0};
  if (int error = Remove(object)) return {RemovalStep::kRemove, error};
  return {RemovalStep::kDone, 0};
}

}  // namespace procmuster
