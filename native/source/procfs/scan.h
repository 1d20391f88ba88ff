// The procfs source: reads every process under a proc root into a table buffer, with one or more scan
// threads, each with its own share of the pids and its own descriptor table.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "source/source.h"

namespace procmuster {

struct ScanOptions {
  std::string proc_root = "/proc";
  uint32_t threads = 2;
  uint32_t descriptor_budget = 0;  // kept open by all threads together
};

class Scanner : public Source {
 public:
  Scanner(TableWriter* table, const std::atomic<bool>* cancelled, ScanOptions options);
  ~Scanner() override;

  int Open(std::string* refusal) override;  // starts the scan threads
  int Sample(uint64_t sequence, uint32_t* capacity_needed) override;

  // Before the first sample: goes on with the processes of a source that filled the same table.
  void Adopt(const std::vector<KnownProcess>& processes);

 private:
  class Shard;
  enum class Phase { read, retire, stop };

  Shard* ShardOf(int32_t pid) const;
  void RunPhase(Phase phase);

  const ScanOptions options_;
  UniqueFd proc_;
  std::vector<int32_t> pids_;
  std::vector<std::unique_ptr<Shard>> shards_;  // last: their threads use all of the above
};

}  // namespace procmuster
