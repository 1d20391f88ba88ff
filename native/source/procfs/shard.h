// One scan thread's share of the processes. Everything here runs on that thread, phase by phase, while the
// scanner waits; so the only state that needs a lock is the slots.
#pragma once

#include <atomic>
#include <cstdint>
#include <semaphore>
#include <vector>

#include "common/joinable_thread.h"
#include "source/procfs/parse.h"
#include "source/procfs/proc_files.h"
#include "source/procfs/scan.h"
#include "table/roster.h"

namespace procmuster {

class Scanner::Shard {
 public:
  Shard(const ScanOptions& options, TableWriter* table, const std::atomic<bool>* cancelled);
  ~Shard();

  int Open();  // starts the thread and waits until it is ready; an errno, 0 for success
  void Begin(Phase phase);
  void Wait();

  // Input of the next pass, and its results.
  std::vector<int32_t> pids;
  Changes changes;
  uint32_t without_slot = 0;  // processes that found the table full
  int shortage = 0;  // errno: no descriptor or no memory to read with, which tells nothing of the process
  double cpu_ns = 0;

  void Adopt(const KnownProcess& process);  // while no phase runs

 private:
  struct Tracked : Tenant {
    uint64_t start_ticks;
    uint64_t start_stack;
    uint64_t pidfs_inode;
    uint32_t flags;
    uint32_t uid;
    bool inode_settled;  // read at a later tick than the start: certain to be this process's
    bool io_denied;
    bool adopted;  // from another source, which knew no start_stack
    KeptFiles files;
  };

  void Run();
  void ReadAll();
  void LetOthersRun();
  void ReadProcess(int32_t pid);
  bool ReadTracked(Tracked* process);
  void Track(int32_t pid);
  void FillRow(Tracked* process, const StatFields& stat);
  // `out`, or null for what cannot be read or understood.
  const StatmFields* ReadStatm(Tracked* process, StatmFields* out);
  const IoFields* ReadIo(Tracked* process, bool refresh, IoFields* out);
  const StatusFields* ReadStatus(Tracked* process, StatusFields* out);
  void FillKernel(const Tracked& process);
  void RetireUnseen();

  const ScanOptions& options_;
  TableWriter* const table_;
  const std::atomic<bool>* cancelled_;

  ProcFiles files_;
  double no_yield_before_ns_ = 0;  // CLOCK_MONOTONIC
  Roster<Tracked> roster_;
  Phase phase_ = Phase::stop;
  int opened_ = 0;
  std::binary_semaphore begin_{0};
  std::binary_semaphore end_{0};
  JoinableThread thread_;
};

}  // namespace procmuster
