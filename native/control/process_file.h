// The small files under /proc/<pid> that hold a setting. Each call is an errno, 0 for success; ESRCH for a
// process that is gone, ENOSYS for a kernel without the file.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace procmuster {

int WriteProcessNumber(pid_t pid, const char* file, int64_t number);
// Ends the text with a zero byte.
int ReadProcessText(pid_t pid, const char* file, char* text, size_t size);

}  // namespace procmuster
