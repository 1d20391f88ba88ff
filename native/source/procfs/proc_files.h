// Reads the files of processes for one scan thread, keeping descriptors open where the budget allows: a pread
// of a kept descriptor costs half of open, read and close, and the descriptor stays bound to its process for
// ever.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "common/unique_fd.h"

namespace procmuster {

// In order of what a kept descriptor saves.
enum class ProcFile : uint8_t { stat, statm, status, io };
constexpr size_t kProcFileCount = 4;

// The kept descriptors of one process, -1 for none.
struct KeptFiles {
  int fds[kProcFileCount] = {-1, -1, -1, -1};
};

class ProcFiles {
 public:
  // Gives the calling thread a descriptor table of its own (Linux 5.9): what is kept open there counts
  // against no one else's limit, is not inherited by children of the host program, and needs no locking
  // between threads. Where that is refused, nothing is kept open. To be used and destroyed by that thread.
  // Returns an errno, 0 for success.
  int Open(const char* proc_root, uint32_t descriptor_budget);
  void Close();

  // The text of the file, valid until the next call; errno in *error if it is empty. ESRCH and ENOENT:
  // vanished.
  std::string_view Read(int32_t pid, ProcFile file, KeptFiles* kept, int* error);
  void Drop(KeptFiles* kept);

  // Effective user: the owner of /proc/<pid>, also of a process that is not dumpable.
  bool OwnerOf(int32_t pid, uint32_t* uid);
  // Inode of the process's pidfd, 0 where the kernel has no pidfs or `pid` means another process here.
  uint64_t PidfsInodeOf(int32_t pid);

  // Number of open descriptors; false where the kernel does not tell (before Linux 6.2).
  bool OpenFilesOf(int32_t pid, uint32_t* count);
  // Never kept open: it is worth none of the budget. Empty if it cannot be read.
  std::string_view ReadOomScoreAdj(int32_t pid);

  uint32_t kept_count() const { return kept_count_; }

 private:
  std::string_view ReadAll(int fd, int* error);

  UniqueFd proc_;
  uint32_t budget_ = 0;
  uint32_t kept_count_ = 0;
  bool has_pidfs_ = false;
  bool has_open_files_ = false;
  std::vector<char> text_;
};

}  // namespace procmuster
