#include "common/pidfd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

namespace procmuster {
namespace {

constexpr long kPidfsMagic = 0x50494446;  // PID_FS_MAGIC of linux/magic.h

}  // namespace

int OpenPidfd(pid_t pid, UniqueFd* pidfd) {
  // The kernel sets close-on-exec on every pidfd.
  long fd = syscall(SYS_pidfd_open, pid, 0);
  if (fd < 0) return errno;
  pidfd->reset(static_cast<int>(fd));
  return 0;
}

uint64_t PidfdInode(int pidfd) {
  // One kernel has pidfs for all of them or for none.
  static std::atomic<int> has_pidfs{-1};
  int known = has_pidfs.load(std::memory_order_relaxed);
  if (known < 0) {
    struct statfs fs;
    if (fstatfs(pidfd, &fs) != 0) return 0;
    known = fs.f_type == kPidfsMagic;
    has_pidfs.store(known, std::memory_order_relaxed);
  }
  struct stat st;
  if (known == 0 || fstat(pidfd, &st) != 0) return 0;
  return st.st_ino;
}

int PidfdLock(int pidfd) {
  if (PidfdInode(pidfd) == 0) return EOPNOTSUPP;
  int result;
  do {
    result = flock(pidfd, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
}

bool PidfdExited(int pidfd) {
  struct pollfd poll_fd = {pidfd, POLLIN, 0};
  return poll(&poll_fd, 1, 0) > 0;
}

int PidfdSignal(int pidfd, int signal) {
  return syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0 ? 0 : errno;
}

int PidfdQueue(int pidfd, int signal, int value) {
  siginfo_t info = {};
  info.si_signo = signal;
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_int = value;
  return syscall(SYS_pidfd_send_signal, pidfd, signal, &info, 0) == 0 ? 0 : errno;
}

}  // namespace procmuster
