#pragma once

#include <sched.h>

#include "common/clock.h"

namespace procmuster {

// For a thread with long work on a core that others need in between, as the event loop does: the
// kernel lets a running thread have its whole slice, some milliseconds, before one that woke up.
class CoreSharing {
 public:
  // To be called some ten thousand times a second.
  void LetOthersRun() {
    if (ClockNs(CLOCK_THREAD_CPUTIME_ID) < no_yield_before_ns_) return;
    const double began_ns = ClockNs(CLOCK_MONOTONIC);
    sched_yield();
    const double others_ran_ns = ClockNs(CLOCK_MONOTONIC) - began_ns;
    // They get no more than we take: each yield gives a whole slice away, and a host whose cores
    // are all busy would otherwise starve the work.
    no_yield_before_ns_ = ClockNs(CLOCK_THREAD_CPUTIME_ID) + others_ran_ns;
  }

 private:
  double no_yield_before_ns_ = 0;  // of this thread's CPU time
};

}  // namespace procmuster
