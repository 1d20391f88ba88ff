// Who a process is, and the check that an action reaches that one and no successor of its pid.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "common/unique_fd.h"

namespace procmuster {

struct Target {
  pid_t pid = 0;
  uint64_t start_ticks = 0;
  uint64_t inode = 0;  // of the pidfd, 0 when it is not known (before Linux 6.9)
  bool settled = false;
};

// Where an action ended; src/control/results.ts names the same steps in the same order.
enum class Step : int32_t {
  kDone = 0,
  kUnsettled = 1,
  kOpen = 2,        // pidfd_open
  kStat = 3,        // reading /proc/<pid>/stat
  kMismatch = 4,    // the pid is another process's by now
  kProtected = 5,   // pid 1, a kernel thread or ourselves
  kAct = 6,         // the action's own system call
  kGoneDuring = 7,  // it exited while an action by pid was under way
  kUnreadable = 8,  // stat is there and cannot be understood
};

struct Outcome {
  int error = 0;
  Step step = Step::kDone;
  bool ok() const { return step == Step::kDone; }
};

// The fields of /proc/<pid>/stat that tell one process from another.
struct StatFacts {
  char state = 0;                                                    // field 3
  pid_t ppid = 0;                                                    // field 4
  uint32_t flags = 0;                                                // field 9
  uint64_t start_ticks = 0;                                          // field 22
  bool kernel_thread() const { return (flags & 0x00200000u) != 0; }  // PF_KTHREAD
  bool dead() const { return state == 'Z' || state == 'X'; }
};

// Pure; false when the text is no stat line. `4242 (a) b) S 1 ...`: the name ends at the last parenthesis.
bool ParseStatFacts(const char* data, size_t size, StatFacts* facts);

// Reads stat below an open directory of the process (`at` from a path like /proc when pid is given).
int ReadStatFacts(const char* proc_root, pid_t pid, StatFacts* facts);
int ReadStatFactsAt(int process_dir, StatFacts* facts);

int OpenPidfd(pid_t pid, UniqueFd* pidfd);
// 0 when the kernel has no pidfs: the inode of an anonymous one is the same for all.
uint64_t PidfdInode(int pidfd);
bool PidfdExited(int pidfd);
int PidfdSignal(int pidfd, int signal);

// Clock ticks since boot, in the unit and the time namespace of stat's field 22.
uint64_t NowTicks();

// A pidfd that is certain to be the target's, or why not. Nothing has been done to anyone.
Outcome OpenVerified(const Target& target, UniqueFd* pidfd, StatFacts* facts);

// Pid 1, kernel threads and this process: ended only by someone who says so.
bool IsProtected(pid_t pid, const StatFacts& facts);

}  // namespace procmuster
