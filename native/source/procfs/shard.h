// One scan thread's share of the processes. Everything here runs on that thread, phase by phase, while the
// scanner waits; so the only state that needs a lock is the slots.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

#include "source/procfs/parse.h"
#include "source/procfs/proc_files.h"
#include "source/procfs/scan.h"

namespace procmuster {

// What one sample works on; the same for all shards.
struct ScanPass {
  uint64_t sequence = 0;
  uint64_t round = 0;  // counts attempts: a sample that found the table full is repeated
  TableBuffer current;
  TableBuffer previous;
  double mem_total_bytes = 0;
  uint64_t now_ticks = 0;  // clock ticks since boot when the sample began
};

class Scanner::Shard {
 public:
  Shard(const ScanOptions& options, const std::unique_ptr<Slots>* slots, const ScanPass* pass,
        const std::atomic<bool>* cancelled);
  ~Shard();

  int Open();  // starts the thread and waits until it is ready; an errno, 0 for success
  void Begin(Phase phase);
  void Wait();

  // Input of the next pass, and its results.
  std::vector<int32_t> pids;
  std::vector<uint32_t> born;
  std::vector<uint32_t> gone;
  std::vector<uint32_t> execed;
  uint32_t without_slot = 0;  // processes that found the table full
  uint32_t vanished = 0;
  int shortage = 0;  // errno: no descriptor or no memory to read with, which tells nothing of the process
  double cpu_ns = 0;
  uint32_t kept_descriptors() const { return files_.kept_count(); }

 private:
  // A process that this shard follows, from its first sample to its last.
  struct Tracked {
    int32_t pid;
    uint32_t slot;
    uint32_t generation;
    uint64_t start_ticks;
    uint64_t start_stack;
    uint64_t pidfs_inode;
    uint64_t born_sequence;
    uint64_t exec_sequence;  // the sample that noticed its last exec
    uint64_t seen_round;
    uint32_t flags;
    uint32_t uid;
    bool inode_settled;  // read at a later tick than the start: certain to be this process's
    bool io_denied;
    KeptFiles files;
  };

  void Run();
  void ReadAll();
  void ReadProcess(int32_t pid);
  bool ReadTracked(Tracked* process);
  void Track(int32_t pid);
  void FillRow(Tracked* process, const StatFields& stat);
  // `out`, or null for what cannot be read or understood.
  const StatmFields* ReadStatm(Tracked* process, StatmFields* out);
  const IoFields* ReadIo(Tracked* process, bool refresh, IoFields* out);
  const StatusFields* ReadStatus(Tracked* process, StatusFields* out);
  void RetireUnseen();

  const ScanOptions& options_;
  const std::unique_ptr<Slots>* slots_;
  const ScanPass* pass_;
  const std::atomic<bool>* cancelled_;

  ProcFiles files_;
  std::vector<Tracked> tracked_;
  std::vector<uint32_t> index_of_slot_;  // into tracked_
  Phase phase_ = Phase::stop;
  int opened_ = 0;
  std::binary_semaphore begin_{0};
  std::binary_semaphore end_{0};
  std::thread thread_;
};

}  // namespace procmuster
