// What the bpf source still asks the files below /proc for, of a few processes only.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/unique_fd.h"
#include "source/procfs/parse.h"

namespace procmuster {

class ProcLookup {
 public:
  int Open();  // an errno, 0 for success

  // Whether the kernel keeps these counters at all: it has the files then that show them.
  bool kernel_counts_io() const { return counts_io_; }
  bool kernel_counts_waits() const { return counts_waits_; }

  // The name in full: the kernel keeps 15 bytes of that of a kernel thread, and makes the rest when it is
  // read. Empty if it cannot be read; good until the next call.
  std::string_view Name(int32_t pid);

  // Exact memory of the process with this pid and start; false if it cannot be read.
  bool Statm(int32_t pid, uint64_t start_ticks, StatmFields* out);

 private:
  std::string_view Read(int directory, const char* path);

  UniqueFd proc_;
  bool counts_io_ = false;
  bool counts_waits_ = false;
  char text_[4096];
};

}  // namespace procmuster
