// How a thread and its process are scheduled, read in one go.
#pragma once

#include <cstddef>
#include <cstdint>

#include "control/identity.h"

namespace procmuster {

// In the order of src/control/scheduling_reading.ts.
struct SchedulingValues {
  double policy, priority, reset_on_fork, runtime_ns, deadline_ns, period_ns;
  double nice;
  double io_priority;  // class << 13 | level
  double oom_score_adj;
  double timer_slack_ns;
  double autogroup, autogroup_nice;  // NaN for a process that is in none
};

// errno and step of the whole, then an errno for each part.
struct SchedulingErrors {
  int32_t error, step;
  int32_t scheduler, nice, io_priority, affinity, oom_score_adj, timer_slack, autogroup;
};

inline constexpr size_t kProcessorWords = 64;  // of 32 processors each

// `tid`: a thread of the target, or its pid.
void ReadScheduling(const Target& target, pid_t tid, SchedulingValues* values, SchedulingErrors* errors,
                    uint32_t* processors);

}  // namespace procmuster
