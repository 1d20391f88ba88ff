// The pids of a /proc, in one pass of getdents64(2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace procmuster {

// Appends the pids among the linux_dirent64 records in [data, data + size); false for a malformed buffer.
bool ParseDirectory(const char* data, size_t size, std::vector<int32_t>* pids);

// Replaces *pids by those under the open directory `proc_fd`, ascending. An errno, 0 for success.
int ListPids(int proc_fd, std::vector<int32_t>* pids);

}  // namespace procmuster
