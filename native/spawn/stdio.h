// Descriptors 0 to 2 for a process to come.
#pragma once

#include <cstdint>

#include "common/unique_fd.h"
#include "spawn/file_identity.h"

namespace procmuster {

struct StdioSource {
  int error = 0;  // of taking it over; 0 when `fd` is the very same open file, or another one of that file
  bool same_open = false;  // position and flags are shared with the process
  uint32_t mode = 0;
  uint64_t device = 0;
  uint64_t inode = 0;
  uint32_t owner = 0;
  int flags = 0;
  int64_t position = -1;
};

// By pidfd_getfd, or where that is not allowed by opening /proc/<pid>/fd/<number> (no sockets then).
StdioSource TakeDescriptor(int pidfd, int pid, int number, UniqueFd* fd);

// A file that is known by path only (after a crash of ours): it must be the same file of the same owner
// still, and nothing is made or cut.
StdioSource ReopenDescriptor(const char* path, int flags, const FileIdentity& file, uint32_t owner,
                             int64_t position, UniqueFd* fd);

// A copy of one of ours. With `blocking` it no longer is non-blocking, for everyone who shares it: most
// programs take a short read or write for the end.
int CopyDescriptor(int from, bool blocking, UniqueFd* fd);

// A pipe: `fd` is the child's end, `ours` the other one, non-blocking.
int MakePipe(bool child_reads, UniqueFd* fd, UniqueFd* ours);

}  // namespace procmuster
