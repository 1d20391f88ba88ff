#include "control/action.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "control/process_file.h"

namespace procmuster {
namespace {

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

int SetForThread(pid_t tid, const Action& action) {
  switch (action.kind) {
    case ActionKind::kPriority:
      return SetNice(tid, static_cast<int>(action.value));
    case ActionKind::kIoPriority:
      return SetIoPriority(tid, action.io_class, action.io_level);
    case ActionKind::kScheduler:
      return ChangeScheduler(tid, action.scheduler);
    case ActionKind::kAffinity:
      return SetAffinity(tid, action.processors);
    case ActionKind::kTimerSlack:
      return WriteProcessNumber(tid, "timerslack_ns", action.value);
    default:
      return EINVAL;
  }
}

int Set(pid_t pid, const Action& action) {
  switch (action.kind) {
    case ActionKind::kResourceLimit:
      return SetLimit(pid, action);
    case ActionKind::kOomScoreAdj:
      return WriteProcessNumber(pid, "oom_score_adj", action.value);
    case ActionKind::kAutogroup:
      return WriteProcessNumber(pid, "autogroup", action.value);
    default:
      if (action.leader_only) return SetForThread(pid, action);
      return ForEachThread(pid, [&action](pid_t tid) { return SetForThread(tid, action); });
  }
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
    int error = action.has_value ? PidfdQueue(pidfd.get(), action.signal, static_cast<int>(action.value))
                                 : PidfdSignal(pidfd.get(), action.signal);
    return error == 0 ? Outcome{} : Outcome{error, Step::kAct};
  }
  // No pidfd form: what died before the call is not asked for, and what died during it is told apart after
  // it.
  if (PidfdExited(pidfd.get())) return {ESRCH, Step::kAct};
  int error = Set(target.pid, action);
  if (PidfdExited(pidfd.get())) return {ESRCH, Step::kGoneDuring};
  return error == 0 ? Outcome{} : Outcome{error, Step::kAct};
}

}  // namespace procmuster
