// The procfs source: reads every process under a proc root into a table buffer, with one or more scan
// threads, each with its own share of the pids and its own descriptor table.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "table/buffer.h"
#include "table/slots.h"

namespace procmuster {

struct ScanPass;

struct ScanOptions {
  std::string proc_root = "/proc";
  bool read_io = false;
  bool read_status = false;
  uint32_t threads = 2;
  uint32_t descriptor_budget = 0;  // kept open by all threads together
};

class Scanner {
 public:
  explicit Scanner(ScanOptions options);
  ~Scanner();

  // Starts the scan threads. An errno, 0 for success.
  int Open();

  // Gives the scanner a pair of buffers of `capacity` rows; a sample already in the old pair is carried over.
  void Attach(const TableBuffer buffers[2]);

  // Fills buffer `sequence` % 2. Sequences count up from 1. *capacity_needed is 0, or how many rows it takes:
  // then the buffer is not valid, and the same sequence is to be repeated after Attach with at least that
  // capacity. An errno, 0 for success.
  int Sample(uint64_t sequence, uint32_t* capacity_needed);

  // Makes a running Sample return ECANCELED soon; from any thread.
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }

 private:
  class Shard;
  enum class Phase { read, retire, stop };

  void RunPhase(Phase phase);
  void Publish(double started_ns, double cpu_ns);

  const ScanOptions options_;
  UniqueFd proc_;
  std::vector<int32_t> pids_;
  std::unique_ptr<Slots> slots_;
  TableBuffer buffers_[2];
  uint64_t published_ = 0;      // sequence of the last complete sample, 0 for none
  double last_started_ns_ = 0;  // CLOCK_MONOTONIC
  std::atomic<bool> cancelled_{false};
  std::unique_ptr<ScanPass> pass_;
  std::vector<std::unique_ptr<Shard>> shards_;  // last: their threads use all of the above
};

}  // namespace procmuster
