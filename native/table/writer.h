// The pair of buffers that a source fills in turn, and all that stands in them besides the rows: header,
// control words, the lists of slots.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "table/buffer.h"
#include "table/slots.h"

namespace procmuster {

// What one sample works on.
struct Pass {
  uint64_t sequence = 0;
  uint64_t round = 0;  // counts attempts: a sample that found the table full is repeated
  TableBuffer current;
  TableBuffer previous;
  double mem_total_bytes = 0;
  uint64_t now_ticks = 0;  // clock ticks since boot when the sample began
};

// Slots whose process came, went, or ran another program since the sample before.
struct Changes {
  std::vector<uint32_t> born;
  std::vector<uint32_t> gone;
  std::vector<uint32_t> execed;
  uint32_t vanished = 0;  // processes that ended before they could be read
  uint32_t open_descriptors = 0;

  void Clear();
  void Add(const Changes& other);
};

class TableWriter {
 public:
  // Takes a pair of buffers of one capacity; a sample already in the old pair is carried over.
  void Attach(const TableBuffer buffers[2]);
  bool attached() const { return slots_ != nullptr; }

  Slots* slots() const { return slots_.get(); }
  const Pass& pass() const { return pass_; }

  // Marks buffer `sequence` % 2 as being filled.
  void Begin(uint64_t sequence, double mem_total_bytes);

  // Completes the sample: `pids` ascending; those without a slot are left out. `other_cpu_ns`: what threads
  // besides the calling one have used for it.
  void Publish(std::span<const int32_t> pids, const Changes& changes, double other_cpu_ns);

 private:
  std::unique_ptr<Slots> slots_;
  TableBuffer buffers_[2];
  Pass pass_;
  double began_ns_ = 0;       // CLOCK_MONOTONIC
  double began_cpu_ns_ = 0;   // CLOCK_THREAD_CPUTIME_ID
  uint64_t published_ = 0;    // sequence of the last complete sample, 0 for none
  double last_began_ns_ = 0;  // its beginning
};

}  // namespace procmuster
