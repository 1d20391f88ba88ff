// Where a table's rows come from: the files below /proc (procfs/), or the kernel itself (bpf/).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "table/writer.h"

namespace procmuster {

// A process as one source leaves it to another.
struct KnownProcess {
  int32_t pid;
  uint32_t slot;
  uint32_t generation;
  uint64_t born_sequence;
  uint64_t start_ticks;
  uint64_t pidfs_inode;
  uint32_t flags;
  uint32_t uid;
};

// Fills a TableWriter's buffers. All calls come from one thread at a time.
class Source {
 public:
  // Once `cancelled` is set, by any thread, a running Sample returns ECANCELED soon.
  Source(TableWriter* table, const std::atomic<bool>* cancelled) : table_(table), cancelled_(cancelled) {}
  virtual ~Source() = default;

  // An errno, 0 for success; *refusal: the kernel's own words, where it had some.
  virtual int Open(std::string* refusal) = 0;

  // Fills buffer `sequence` % 2. Sequences count up from 1. *capacity_needed is 0, or how many rows it takes:
  // then the buffer is not valid, and the same sequence is to be repeated with at least that capacity. An
  // errno, 0 for success.
  virtual int Sample(uint64_t sequence, uint32_t* capacity_needed) = 0;

  // Bytes of rssBytes: rows so near one of these that the source's own error hides on which side they are get
  // read again exactly, in the sample itself.
  virtual void SetExactNear(std::vector<double> thresholds) {}

  // For the source that takes its place, which goes on with the same table.
  virtual std::vector<KnownProcess> Known() const { return {}; }

 protected:
  bool cancelled() const { return cancelled_->load(std::memory_order_relaxed); }

  TableWriter* const table_;
  const std::atomic<bool>* const cancelled_;
};

}  // namespace procmuster
