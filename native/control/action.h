// What can be done to a process: each action checks the identity first and acts through a pidfd where it can.
#pragma once

#include <sys/resource.h>

#include <cmath>

#include "control/identity.h"

namespace procmuster {

inline constexpr int kResourceCount = 16;  // RLIM_NLIMITS of every Linux architecture

// JavaScript has infinity for a resource without a limit.
inline rlim_t ToLimit(double value) { return std::isinf(value) ? RLIM_INFINITY : static_cast<rlim_t>(value); }

enum class ActionKind : int32_t { kSignal = 0, kPriority = 1, kResourceLimit = 2 };

struct Action {
  ActionKind kind = ActionKind::kSignal;
  int signal = 0;
  int nice = 0;
  int resource = 0;
  // Which halves of the limit change; the other one stays as it is.
  bool set_soft = false;
  bool set_hard = false;
  rlim_t soft = 0;
  rlim_t hard = 0;
  bool force = false;
};

Outcome Act(const Target& target, const Action& action);

}  // namespace procmuster
