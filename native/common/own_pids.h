// Below the /proc of another PID namespace a pid is another process's than the one that system calls reach by
// it.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

namespace procmuster {

// Whether the pids of a proc directory are those of our own PID namespace, by its link `self`.
inline bool HasOwnPids(int directory, const char* self) {
  char pid[16] = {};
  return readlinkat(directory, self, pid, sizeof pid - 1) > 0 && atoi(pid) == getpid();
}

}  // namespace procmuster
