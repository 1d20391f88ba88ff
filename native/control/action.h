// What can be done to a process: each action checks the identity first and acts through a pidfd where it can.
#pragma once

#include <sys/resource.h>

#include <cmath>
#include <vector>

#include "control/identity.h"
#include "control/thread_settings.h"

namespace procmuster {

inline constexpr int kResourceCount = 16;  // RLIM_NLIMITS of every Linux architecture

// JavaScript has infinity for a resource without a limit.
inline rlim_t ToLimit(double value) { return std::isinf(value) ? RLIM_INFINITY : static_cast<rlim_t>(value); }

// src/control/targets.ts names the same kinds in the same order.
enum class ActionKind : int32_t {
  kSignal = 0,
  kPriority = 1,
  kResourceLimit = 2,
  kIoPriority = 3,
  kScheduler = 4,
  kAffinity = 5,
  kOomScoreAdj = 6,
  kTimerSlack = 7,
  kAutogroup = 8,
};

struct Action {
  ActionKind kind = ActionKind::kSignal;
  int signal = 0;
  // With the signal, as sigqueue(3) sends it.
  bool has_value = false;
  // Of the signal, or what is set: nice, oom_score_adj, timer slack in ns, nice of the autogroup.
  int64_t value = 0;
  int resource = 0;
  // Which halves of the limit change; the other one stays as it is.
  bool set_soft = false;
  bool set_hard = false;
  rlim_t soft = 0;
  rlim_t hard = 0;
  int io_class = 0;
  int io_level = 0;
  SchedulerChange scheduler;
  std::vector<unsigned long> processors;  // bits
  // What the kernel keeps for each thread: of the main thread only.
  bool leader_only = false;
  bool force = false;
};

Outcome Act(const Target& target, const Action& action);

}  // namespace procmuster
