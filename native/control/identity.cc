#include "control/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

namespace procmuster {
namespace {

constexpr long kPidfsMagic = 0x50494446;

int ReadAndParse(int fd, StatFacts* facts) {
  // The longest line: a 64 byte name and 51 numbers of at most 20 digits.
  char buffer[2048];
  ssize_t size = read(fd, buffer, sizeof(buffer));
  if (size < 0) return errno;
  if (size == 0) return ESRCH;
  return ParseStatFacts(buffer, static_cast<size_t>(size), facts) ? 0 : EBADMSG;
}

}  // namespace

bool ParseStatFacts(const char* data, size_t size, StatFacts* facts) {
  const char* end = data + size;
  const char* at = static_cast<const char*>(memrchr(data, ')', size));
  if (at == nullptr || end - at < 4 || at[1] != ' ' || at[3] != ' ') return false;
  facts->state = at[2];
  at += 3;
  for (int field = 4; field <= 22; field++) {
    if (at >= end || *at != ' ') return false;
    at++;
    bool negative = at < end && *at == '-';
    if (negative) at++;
    const char* first = at;
    uint64_t value = 0;
    while (at < end && *at >= '0' && *at <= '9') value = value * 10 + static_cast<uint64_t>(*at++ - '0');
    if (at == first || at - first > 20) return false;
    if (field == 4) facts->ppid = static_cast<pid_t>(value);
    if (field == 9) facts->flags = static_cast<uint32_t>(value);
    if (field == 22) facts->start_ticks = value;
  }
  return true;
}

int ReadStatFacts(const char* proc_root, pid_t pid, StatFacts* facts) {
  char path[4096];
  int length = snprintf(path, sizeof(path), "%s/%d/stat", proc_root, static_cast<int>(pid));
  if (length < 0 || static_cast<size_t>(length) >= sizeof(path)) return ENAMETOOLONG;
  UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno;
  return ReadAndParse(fd.get(), facts);
}

int ReadStatFactsAt(int process_dir, StatFacts* facts) {
  UniqueFd fd(openat(process_dir, "stat", O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return errno;
  return ReadAndParse(fd.get(), facts);
}

int OpenPidfd(pid_t pid, UniqueFd* pidfd) {
  // The kernel sets close-on-exec on every pidfd.
  long fd = syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return errno;
  pidfd->reset(static_cast<int>(fd));
  return 0;
}

uint64_t PidfdInode(int pidfd) {
  struct statfs fs;
  if (fstatfs(pidfd, &fs) != 0 || fs.f_type != kPidfsMagic) return 0;
  struct stat st;
  if (fstat(pidfd, &st) != 0) return 0;
  return st.st_ino;
}

bool PidfdExited(int pidfd) {
  struct pollfd poll_fd = {pidfd, POLLIN, 0};
  return poll(&poll_fd, 1, 0) > 0;
}

int PidfdSignal(int pidfd, int signal) {
  return syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0 ? 0 : errno;
}

uint64_t NowTicks() {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  uint64_t hertz = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  uint64_t nanoseconds_per_tick = 1000000000u / hertz;
  return static_cast<uint64_t>(now.tv_sec) * hertz +
         static_cast<uint64_t>(now.tv_nsec) / nanoseconds_per_tick;
}

Outcome OpenVerified(const Target& target, UniqueFd* pidfd, StatFacts* facts) {
  if (!target.settled) return {EAGAIN, Step::kUnsettled};
  if (int error = OpenPidfd(target.pid, pidfd)) {
    // EINVAL and ENOENT: the number is a mere thread's by now, so the process that had it is gone.
    if (error == EINVAL || error == ENOENT) error = ESRCH;
    return {error, Step::kOpen};
  }
  if (target.inode != 0) {
    uint64_t inode = PidfdInode(pidfd->get());
    if (inode != 0 && inode != target.inode) return {ESRCH, Step::kMismatch};
  }
  // The pidfd is held: were stat a successor's by now, then its start would be later than the target's.
  if (int error = ReadStatFacts("/proc", target.pid, facts)) {
    if (error == ENOENT) error = ESRCH;
    return {error, error == EBADMSG ? Step::kUnreadable : Step::kStat};
  }
  if (facts->start_ticks != target.start_ticks) return {ESRCH, Step::kMismatch};
  return {};
}

bool IsProtected(pid_t pid, const StatFacts& facts) {
  return pid == 1 || pid == getpid() || facts.kernel_thread();
}

}  // namespace procmuster
