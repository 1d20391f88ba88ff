#pragma once

#include <time.h>
#include <unistd.h>

#include <cstdint>

namespace procmuster {

inline double ClockNs(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Clock ticks since boot, in the unit and the time namespace of proc_pid_stat(5) field 22.
inline uint64_t NowTicks() {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  uint64_t hertz = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  uint64_t nanoseconds_per_tick = 1000000000u / hertz;
  return static_cast<uint64_t>(now.tv_sec) * hertz +
         static_cast<uint64_t>(now.tv_nsec) / nanoseconds_per_tick;
}

}  // namespace procmuster
