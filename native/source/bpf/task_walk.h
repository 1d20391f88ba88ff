// Every process of the host, from the kernel itself, a slice at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bpf/kernel_program.h"
#include "common/unique_fd.h"
#include "source/bpf/rows.h"

namespace procmuster {

// Not to be used by two threads at once. A process that lives through the walk is in exactly one slice.
class TaskWalk {
 public:
  // Loads the kernel program. An errno, 0 for success; ENOSYS when built without it.
  // `refusal`: the last words of the kernel's verifier, if it had any.
  int Open(std::string* refusal);

  // Starts anew. `groups`: of kWalkIo, kWalkStatus, kWalkKernel, kWalkExact. An errno, 0 for success;
  // EOPNOTSUPP for kWalkExact where the CPUs are too many, or numbered with gaps.
  int Begin(uint32_t groups);
  // Runs the program once; rows() are those of before no more. An errno, 0 for success.
  int Next();
  bool more() const { return more_; }

  const process_row* rows() const { return slice_->rows + skipped_; }
  uint32_t count() const { return slice_->count - skipped_; }

  // The longest that one run may keep the core, about.
  void set_budget_ns(uint64_t budget_ns) { budget_ns_ = budget_ns; }

 private:
  struct Place {
    int32_t pid;
    uint64_t start_ns;
  };

  // Notes the slice's processes: should the last of them end before the next run, the walk goes on behind the
  // last that is still there.
  void RememberPlaces();
  int RunAfter(const Place& place);
  void SkipRepeated(size_t first);

  UniqueFd slices_;
  UniqueFd program_;
  MappedMap memory_;
  process_slice* slice_ = nullptr;
  uint64_t budget_ns_ = 1000000;
  uint32_t skipped_ = 0;
  bool more_ = false;
  std::vector<Place> places_;
};

}  // namespace procmuster
