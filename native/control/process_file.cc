#include "control/process_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "common/unique_fd.h"

namespace procmuster {
namespace {

int Open(pid_t pid, const char* file, int flags, UniqueFd* fd) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/%s", static_cast<int>(pid), file);
  fd->reset(open(path, flags | O_CLOEXEC));
  if (fd->valid()) return 0;
  if (errno != ENOENT) return errno;
  snprintf(path, sizeof(path), "/proc/%d", static_cast<int>(pid));
  return access(path, F_OK) == 0 ? ENOSYS : ESRCH;
}

}  // namespace

int WriteProcessNumber(pid_t pid, const char* file, int64_t number) {
  UniqueFd fd;
  if (int error = Open(pid, file, O_WRONLY, &fd)) return error;
  char text[32];
  int length = snprintf(text, sizeof(text), "%" PRId64, number);
  return write(fd.get(), text, static_cast<size_t>(length)) < 0 ? errno : 0;
}

int ReadProcessText(pid_t pid, const char* file, char* text, size_t size) {
  UniqueFd fd;
  if (int error = Open(pid, file, O_RDONLY, &fd)) return error;
  ssize_t length = read(fd.get(), text, size - 1);
  if (length < 0) return errno;
  text[length] = '\0';
  return 0;
}

}  // namespace procmuster
