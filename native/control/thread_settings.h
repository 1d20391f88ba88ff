// What Linux keeps for each thread: nice, scheduling policy, I/O priority, processors. Each call is an errno,
// 0 for success.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace procmuster {

// struct sched_attr of sched_setattr(2), which the C library does not declare everywhere.
struct SchedulerAttributes {
  uint32_t size = 0;
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime_ns = 0;
  uint64_t deadline_ns = 0;
  uint64_t period_ns = 0;
};

inline constexpr uint64_t kResetOnFork = 1;  // SCHED_FLAG_RESET_ON_FORK

struct SchedulerChange {
  uint32_t policy = 0;
  uint32_t priority = 0;
  int reset_on_fork = -1;  // -1: as it is
};

int GetScheduler(pid_t tid, SchedulerAttributes* attributes);
// The nice value stays, whatever the policy before and after.
int ChangeScheduler(pid_t tid, const SchedulerChange& change);
int GetNice(pid_t tid, int* nice);
int SetNice(pid_t tid, int nice);
// class << 13 | level
int GetIoPriority(pid_t tid, int* priority);
int SetIoPriority(pid_t tid, int io_class, int level);
// `bits` has room for as many processors as the kernel knows, else EINVAL.
int GetAffinity(pid_t tid, uint32_t* bits, size_t words);
int SetAffinity(pid_t tid, const std::vector<unsigned long>& bits);

// Calls `set` for each thread, again for those that were made meanwhile, until no pass finds another one.
int ForEachThread(pid_t pid, const std::function<int(pid_t tid)>& set);

}  // namespace procmuster
