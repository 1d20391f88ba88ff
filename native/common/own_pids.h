// Below the /proc of another PID namespace a pid is another process's than the one that system calls reach by
// it.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

namespace procmuster {

// Whether the pids of this proc directory are those of our own PID namespace.
inline bool HasOwnPids(int proc_fd) {
  char self[16] = {};
  return readlinkat(proc_fd, "self", self, sizeof self - 1) > 0 && atoi(self) == getpid();
}

}  // namespace procmuster
