#pragma once

#include <time.h>

namespace procmuster {

inline double ClockNs(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

}  // namespace procmuster
