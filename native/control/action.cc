#include "control/action.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <set>

namespace procmuster {
namespace {

// Linux keeps the nice value per thread, so "renice a process" means each of its threads. New threads inherit
// it from the one that makes them; another pass finds those made before their maker was reached.
int SetPriorityOfThreads(pid_t pid, int nice) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/task", static_cast<int>(pid));
  DIR* directory = opendir(path);
  if (directory == nullptr) return errno == ENOENT ? ESRCH : errno;
  std::set<pid_t> done;
  int error = 0;
  for (int pass = 0; pass < 4 && error == 0; pass++) {
    bool found_new = false;
    rewinddir(directory);
    while (dirent* entry = readdir(directory)) {
      if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
      pid_t tid = static_cast<pid_t>(atoi(entry->d_name));
      if (!done.insert(tid).second) continue;
      found_new = true;
      if (setpriority(PRIO_PROCESS, static_cast<id_t>(tid), nice) == 0) continue;
      if (errno == ESRCH && tid != pid) continue;  // that thread has ended
      error = errno;
      break;
    }
    if (!found_new) break;
  }
  closedir(directory);
  return done.empty() && error == 0 ? ESRCH : error;
}

int SetLimit(pid_t pid, const Action& action) {
  auto resource = static_cast<__rlimit_resource>(action.resource);
  struct rlimit limit = {action.soft, action.hard};
  if (!action.set_soft || !action.set_hard) {
    struct rlimit current;
    if (prlimit(pid, resource, nullptr, &current) != 0) return errno;
    if (!action.set_soft) limit.rlim_cur = current.rlim_cur;
    if (!action.set_hard) limit.rlim_max = current.rlim_max;
  }
  return prlimit(pid, resource, &limit, nullptr) == 0 ? 0 : errno;
}

}  // namespace

Outcome Act(const Target& target, const Action& action) {
  UniqueFd pidfd;
  StatFacts facts;
  Outcome verified = OpenVerified(target, &pidfd, &facts);
  if (!verified.ok()) return verified;
  if (!action.force && IsProtected(target.pid, facts)) {
    // A raised niceness or a limit on ourselves is how the engine bounds itself; only signals end something.
    bool ourselves = target.pid == getpid();
    if (action.kind == ActionKind::kSignal || !ourselves) return {EPERM, Step::kProtected};
  }
  if (action.kind == ActionKind::kSignal) {
    int error = PidfdSignal(pidfd.get(), action.signal);
    return error == 0 ? Outcome{} : Outcome{error, Step::kAct};
  }
  // No pidfd form: what died before the call is not asked for, and what died during it is told apart after
  // it.
  if (PidfdExited(pidfd.get())) return {ESRCH, Step::kAct};
  int error = action.kind == ActionKind::kPriority ? SetPriorityOfThreads(target.pid, action.nice)
                                                   : SetLimit(target.pid, action);
  if (PidfdExited(pidfd.get())) return {ESRCH, Step::kGoneDuring};
  return error == 0 ? Outcome{} : Outcome{error, Step::kAct};
}

}  // namespace procmuster
