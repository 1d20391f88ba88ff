// A pidfd: the one process that it was opened for, whatever becomes of its pid.
#pragma once

#include <sys/types.h>
#include <sys/wait.h>

#include <cstdint>

#include "common/unique_fd.h"

namespace procmuster {

constexpr idtype_t kPidfdIdType = static_cast<idtype_t>(3);  // P_PIDFD of waitid(2), new in glibc 2.36

// An errno, 0 for success. EINVAL and ENOENT: `pid` is a mere thread's.
int OpenPidfd(pid_t pid, UniqueFd* pidfd);
// 0 when the kernel has no pidfs: the inode of an anonymous one is the same for all.
uint64_t PidfdInode(int pidfd);
// Locks the process for this pidfd alone, until it is closed. EWOULDBLOCK: another one has it; EOPNOTSUPP:
// without pidfs (Linux 6.9) all pidfds are of one inode.
int PidfdLock(int pidfd);
bool PidfdExited(int pidfd);
// An errno, 0 for success.
int PidfdSignal(int pidfd, int signal);
// With a value for the handler, as sigqueue(3) sends it.
int PidfdQueue(int pidfd, int signal, int value);

}  // namespace procmuster
