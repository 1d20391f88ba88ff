// Who a process is, and the check that an action reaches that one and no successor of its pid.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "common/pidfd.h"

namespace procmuster {

struct Target {
  pid_t pid = 0;
  uint64_t start_ticks = 0;
  uint64_t inode = 0;  // of the pidfd, 0 when it is not known (before Linux 6.9)
  bool settled = false;
  // The inode was read since the last boot, and is no kernel thread's: nothing else is left to find out.
  bool proven_by_inode = false;
};

// Where an action ended; src/control/results.ts names the same steps in the same order.
enum class Step : int32_t {
  kDone = 0,
  kUnsettled = 1,
  kOpen = 2,         // pidfd_open
  kStat = 3,         // reading /proc/<pid>/stat
  kMismatch = 4,     // the pid is another process's by now
  kProtected = 5,    // pid 1, a kernel thread or ourselves
  kAct = 6,          // the action's own system call
  kGoneDuring = 7,   // it exited while an action by pid was under way
  kUnreadable = 8,   // stat is there and cannot be understood
  kForeignPids = 9,  // /proc is not that of this PID namespace: it tells of another process with that pid
};

struct Outcome {
  int error = 0;
  Step step = Step::kDone;
  bool ok() const { return step == Step::kDone; }
};

// What of /proc/<pid>/stat tells one process from another, and how they belong together.
struct StatFacts {
  uint64_t start_ticks = 0;
  uint32_t flags = 0;
  char state = 0;
  pid_t ppid = 0;
  pid_t pgid = 0;
  pid_t sid = 0;
  int32_t threads = 0;
  bool kernel_thread() const { return (flags & 0x00200000u) != 0; }  // PF_KTHREAD
  bool executed() const { return (flags & 0x00000040u) == 0; }       // not PF_FORKNOEXEC
};

// An errno, 0 for success; EBADMSG for what is no stat line.
int ReadStatFacts(const char* proc_root, pid_t pid, StatFacts* facts);
int ReadStatFactsAt(int process_dir, StatFacts* facts);

// Whether /proc tells of the processes that system calls reach by their pids.
bool ProcHasOwnPids();

// A pidfd that is certain to be the target's, or why not. Nothing has been done to anyone. Of *facts only
// what IsProtected asks for is certain to be there.
Outcome OpenVerified(const Target& target, UniqueFd* pidfd, StatFacts* facts);

// Pid 1, kernel threads and this process: ended only by someone who says so.
bool IsProtected(pid_t pid, const StatFacts& facts);

}  // namespace procmuster
