#include "source/procfs/pid_list.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace procmuster {
namespace {

// struct linux_dirent64: d_ino 8, d_off 8, d_reclen 2, d_type 1, d_name
constexpr size_t kLengthOffset = 16;
constexpr size_t kNameOffset = 19;

}  // namespace

bool ParseDirectory(const char* data, size_t size, std::vector<int32_t>* pids) {
  for (size_t at = 0; at < size;) {
    if (size - at < kNameOffset + 1) return false;
    uint16_t length;
    memcpy(&length, data + at + kLengthOffset, sizeof length);
    if (length < kNameOffset + 1 || length > size - at) return false;
    const char* name = data + at + kNameOffset;
    const char* end = data + at + length;
    int64_t pid = 0;
    const char* digit = name;
    for (; digit < end && *digit >= '0' && *digit <= '9' && pid <= INT32_MAX; digit++) {
      pid = pid * 10 + (*digit - '0');
    }
    if (digit == end) return false;  // no terminating zero
    if (*digit == '\0' && pid > 0 && pid <= INT32_MAX) pids->push_back(static_cast<int32_t>(pid));
    at += length;
  }
  return true;
}

int ListPids(int proc_fd, std::vector<int32_t>* pids) {
  pids->clear();
  if (lseek(proc_fd, 0, SEEK_SET) < 0) return errno;
  alignas(8) char buffer[64 * 1024];
  for (;;) {
    long got = syscall(SYS_getdents64, proc_fd, buffer, sizeof buffer);
    if (got < 0) return errno;
    if (got == 0) break;
    if (!ParseDirectory(buffer, static_cast<size_t>(got), pids)) return EBADMSG;
  }
  // /proc lists ascending; a directory that stands in for it in a test may not.
  if (!std::is_sorted(pids->begin(), pids->end())) std::sort(pids->begin(), pids->end());
  return 0;
}

}  // namespace procmuster
