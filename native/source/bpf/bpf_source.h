// The bpf source: the kernel hands over its processes, a slice at a time, and each is joined into the row
// that it has in the table.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "source/bpf/exact_near.h"
#include "source/bpf/proc_lookup.h"
#include "source/bpf/row.h"
#include "source/bpf/task_walk.h"
#include "source/source.h"
#include "table/roster.h"

namespace procmuster {

class BpfSource : public Source {
 public:
  // `exact_rss`: no approximate counters.
  BpfSource(TableWriter* table, const std::atomic<bool>* cancelled, bool exact_rss);

  int Open(std::string* refusal) override;
  int Sample(uint64_t sequence, uint32_t* capacity_needed) override;
  void SetExactNear(std::vector<double> thresholds) override;
  std::vector<KnownProcess> Known() const override;

 private:
  struct Process : Tenant {
    uint64_t start_ns;
    uint64_t pidfs_inode;  // 0 when the kernel has none
    ShownCpuTime shown;
    uint32_t exec_id;
    uint32_t flags;
    uint32_t uid;
    char comm[sizeof(process_row::comm)];
  };

  // How the group exactRss is served: the program sums the remainders of all CPUs, or where it cannot, statm
  // of every process is read.
  enum class Exact { none, summed, read };

  uint32_t Groups() const;
  void JoinSlice();
  Process* Find(const process_row& row);
  Process* Admit(const process_row& row);
  void FillRow(Process* process, const process_row& row);
  void StoreName(Process* process, const process_row& row, bool is_new);
  void MarkUncounted(uint32_t slot);
  bool IsInDoubt(double rss_bytes) const;
  void ReadExactRss(const Process& process);
  void UpdatePids();

  Exact exact_;
  TaskWalk walk_;
  ProcLookup proc_;
  ExactNear exact_near_;
  Roster<Process> roster_;
  Changes changes_;
  uint32_t without_slot_ = 0;      // processes that found the table full
  std::vector<int32_t> pids_;      // of the last sample, ascending
  std::vector<int32_t> new_pids_;  // admitted since
  std::vector<int32_t> all_pids_;  // the two merged
};

}  // namespace procmuster
