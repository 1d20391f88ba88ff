#include "control/thread_settings.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <set>

namespace procmuster {
namespace {

constexpr int kWhoProcess = 1;  // IOPRIO_WHO_PROCESS of linux/ioprio.h: in truth one thread
constexpr int kClassShift = 13;
// Who makes threads faster than they are found keeps some of the last pass; those have inherited the setting.
constexpr int kMostPasses = 64;
// A thread that is being made has what its starter had before, and is listed a moment later, on a busy host
// much later.
constexpr useconds_t kMakingUs = 2000;

int ErrnoOf(long result) { return result < 0 ? errno : 0; }

}  // namespace

int GetScheduler(pid_t tid, SchedulerAttributes* attributes) {
  return ErrnoOf(syscall(SYS_sched_getattr, tid, attributes, sizeof(*attributes), 0));
}

int ChangeScheduler(pid_t tid, const SchedulerChange& change) {
  SchedulerAttributes now;
  if (int error = GetScheduler(tid, &now)) return error;
  SchedulerAttributes next;
  next.size = sizeof(next);
  next.policy = change.policy;
  next.priority = change.priority;
  // Of a real-time thread sched_getattr tells none, although it has one for later.
  if (int error = GetNice(tid, &next.nice)) return error;
  bool reset = change.reset_on_fork < 0 ? (now.flags & kResetOnFork) != 0 : change.reset_on_fork != 0;
  if (reset) next.flags |= kResetOnFork;
  return ErrnoOf(syscall(SYS_sched_setattr, tid, &next, 0));
}

int GetNice(pid_t tid, int* nice) {
  errno = 0;
  *nice = getpriority(PRIO_PROCESS, static_cast<id_t>(tid));
  return errno;
}

int SetNice(pid_t tid, int nice) { return ErrnoOf(setpriority(PRIO_PROCESS, static_cast<id_t>(tid), nice)); }

int GetIoPriority(pid_t tid, int* priority) {
  long result = syscall(SYS_ioprio_get, kWhoProcess, tid);
  *priority = static_cast<int>(result);
  return ErrnoOf(result);
}

int SetIoPriority(pid_t tid, int io_class, int level) {
  return ErrnoOf(syscall(SYS_ioprio_set, kWhoProcess, tid, (io_class << kClassShift) | level));
}

int GetAffinity(pid_t tid, uint32_t* bits, size_t words) {
  return ErrnoOf(syscall(SYS_sched_getaffinity, tid, words * sizeof(*bits), bits));
}

int SetAffinity(pid_t tid, const std::vector<unsigned long>& bits) {
  return ErrnoOf(syscall(SYS_sched_setaffinity, tid, bits.size() * sizeof(bits[0]), bits.data()));
}

int ForEachThread(pid_t pid, const std::function<int(pid_t tid)>& set) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/task", static_cast<int>(pid));
  DIR* directory = opendir(path);
  if (directory == nullptr) return errno == ENOENT ? ESRCH : errno;
  std::set<pid_t> done;
  int error = 0;
  bool is_making = false;
  int quiet_passes = 0;
  for (int pass = 0; pass < kMostPasses && error == 0; pass++) {
    bool found_new = false;
    rewinddir(directory);
    while (dirent* entry = readdir(directory)) {
      if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
      pid_t tid = static_cast<pid_t>(atoi(entry->d_name));
      if (!done.insert(tid).second) continue;
      found_new = true;
      error = set(tid);
      if (error == ESRCH && tid != pid) error = 0;  // that thread has ended
      if (error != 0) break;
    }
    is_making = is_making || (found_new && pass > 0);
    quiet_passes = found_new ? 0 : quiet_passes + 1;
    if (quiet_passes > (is_making ? 1 : 0)) break;
    if (quiet_passes > 0) usleep(kMakingUs);
  }
  closedir(directory);
  return done.empty() && error == 0 ? ESRCH : error;
}

}  // namespace procmuster
