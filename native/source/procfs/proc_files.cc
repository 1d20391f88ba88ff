#include "source/procfs/proc_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <charconv>

#include "common/own_pids.h"
#include "common/pidfd.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

namespace procmuster {
namespace {

constexpr unsigned kCloseRangeUnshare = 1u << 1;
constexpr int kFirstDescriptor = 3;  // standard error stays, for the runtime's last words
constexpr size_t kInitialText = 4096;
constexpr size_t kMaximumText = 1024 * 1024;  // a status with 65,536 groups is 700 KiB long

constexpr const char* kNames[kProcFileCount] = {"/stat", "/statm", "/status", "/io"};

// "<pid><suffix>" into `path`.
void FormatPath(int32_t pid, const char* suffix, char (&path)[32]) {
  char* end = std::to_chars(path, path + 12, pid).ptr;
  strcpy(end, suffix);
}

bool KernelHasPidfs() {
  UniqueFd self;
  return OpenPidfd(getpid(), &self) == 0 && PidfdInode(self.get()) != 0;
}

}  // namespace

int ProcFiles::Open(const char* proc_root, uint32_t descriptor_budget) {
  const bool own_table = syscall(SYS_close_range, kFirstDescriptor, ~0u, kCloseRangeUnshare) == 0;
  proc_.reset(open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!proc_.valid()) return errno;
  if (own_table) {
    struct rlimit limit;
    constexpr rlim_t kSpare = 64;  // for what is open for a moment only
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > kSpare) {
      budget_ = static_cast<uint32_t>(std::min<rlim_t>(descriptor_budget, limit.rlim_cur - kSpare));
    }
  }
  has_pidfs_ = HasOwnPids(proc_.get(), "self") && KernelHasPidfs();
  // The directory has a size where the kernel counts: we hold it open ourselves.
  struct stat own;
  has_open_files_ = fstatat(proc_.get(), "self/fd", &own, 0) == 0 && own.st_size > 0;
  text_.resize(kInitialText);
  return 0;
}

void ProcFiles::Close() { proc_.reset(); }

std::string_view ProcFiles::Read(int32_t pid, ProcFile file, KeptFiles* kept, int* error) {
  int& kept_fd = kept->fds[static_cast<size_t>(file)];
  if (kept_fd >= 0) return ReadAll(kept_fd, error);

  char path[32];
  FormatPath(pid, kNames[static_cast<size_t>(file)], path);
  UniqueFd fd(openat(proc_.get(), path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    *error = errno;
    if (*error == EMFILE || *error == ENFILE) budget_ = kept_count_ / 2;
    return {};
  }
  std::string_view text = ReadAll(fd.get(), error);
  if (!text.empty() && kept_count_ < budget_) {
    kept_fd = fd.release();
    kept_count_++;
  }
  return text;
}

std::string_view ProcFiles::ReadAll(int fd, int* error) {
  size_t filled = 0;
  for (;;) {
    ssize_t got = pread(fd, text_.data() + filled, text_.size() - filled, static_cast<off_t>(filled));
    if (got < 0) {
      *error = errno;
      return {};
    }
    filled += static_cast<size_t>(got);
    // A short read is the end: the kernel fills the buffer from text that is made in one go.
    if (got == 0 || filled < text_.size() || text_.size() >= kMaximumText) break;
    text_.resize(text_.size() * 4);
  }
  if (filled == 0) *error = ESRCH;
  return {text_.data(), filled};
}

void ProcFiles::Drop(KeptFiles* kept) {
  for (int& fd : kept->fds) {
    if (fd < 0) continue;
    close(fd);
    fd = -1;
    kept_count_--;
  }
}

bool ProcFiles::OwnerOf(int32_t pid, uint32_t* uid) {
  char path[32];
  FormatPath(pid, "", path);
  struct stat info;
  if (fstatat(proc_.get(), path, &info, 0) != 0) return false;
  *uid = info.st_uid;
  return true;
}

bool ProcFiles::OpenFilesOf(int32_t pid, uint32_t* count) {
  if (!has_open_files_) return false;
  char path[32];
  FormatPath(pid, "/fd", path);
  struct stat info;
  if (fstatat(proc_.get(), path, &info, 0) != 0) return false;
  *count = static_cast<uint32_t>(info.st_size);
  return true;
}

std::string_view ProcFiles::ReadOomScoreAdj(int32_t pid) {
  char path[32];
  FormatPath(pid, "/oom_score_adj", path);
  UniqueFd fd(openat(proc_.get(), path, O_RDONLY | O_CLOEXEC));
  int error = 0;
  return fd.valid() ? ReadAll(fd.get(), &error) : std::string_view();
}

uint64_t ProcFiles::PidfsInodeOf(int32_t pid) {
  if (!has_pidfs_) return 0;
  UniqueFd pidfd;
  return OpenPidfd(pid, &pidfd) == 0 ? PidfdInode(pidfd.get()) : 0;
}

}  // namespace procmuster
