#include "source/procfs/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "source/procfs/parse.h"
#include "source/procfs/pid_list.h"
#include "source/procfs/shard.h"

namespace procmuster {
namespace {

double ReadMemTotal(int proc_fd) {
  UniqueFd fd(openat(proc_fd, "meminfo", O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return 0;
  char text[4096];
  ssize_t got = read(fd.get(), text, sizeof text);
  return got > 0 ? static_cast<double>(ParseMemTotal({text, static_cast<size_t>(got)})) : 0;
}

}  // namespace

Scanner::Scanner(TableWriter* table, const std::atomic<bool>* cancelled, ScanOptions options)
    : Source(table, cancelled), options_(std::move(options)) {}

Scanner::~Scanner() = default;

int Scanner::Open(std::string*) {
  proc_.reset(open(options_.proc_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!proc_.valid()) return errno;
  for (uint32_t i = 0; i < options_.threads; i++) {
    shards_.push_back(std::make_unique<Shard>(options_, table_, cancelled_));
    if (int error = shards_.back()->Open()) return error;
  }
  return 0;
}

// Same hash for a pid's whole life. Not the low bits: programs that fork in pairs would fill one shard only.
Scanner::Shard* Scanner::ShardOf(int32_t pid) const {
  const uint64_t hash = static_cast<uint32_t>(pid) * 2654435761u;
  return shards_[(hash * shards_.size()) >> 32].get();
}

int Scanner::Sample(uint64_t sequence, uint32_t* capacity_needed) {
  *capacity_needed = 0;
  table_->Begin(sequence, ReadMemTotal(proc_.get()));
  Slots* slots = table_->slots();

  if (int error = ListPids(proc_.get(), &pids_)) return error;
  // Where proc is mounted there is at least ourselves: that all have ended would be the wrong thing to say.
  if (pids_.empty()) return ENOENT;
  slots->BeginSample();
  slots->Reserve(pids_.back());
  uint32_t unknown = 0;
  for (auto& shard : shards_) shard->pids.clear();
  for (int32_t pid : pids_) {
    if (slots->Find(pid) == kNoSlot) unknown++;
    ShardOf(pid)->pids.push_back(pid);
  }
  if (slots->used() + unknown > slots->capacity()) {
    *capacity_needed = slots->used() + unknown;
    return 0;
  }

  RunPhase(Phase::read);
  if (cancelled()) return ECANCELED;
  for (auto& shard : shards_) {
    if (shard->shortage != 0) return shard->shortage;
  }
  uint32_t without_slot = 0;
  for (auto& shard : shards_) without_slot += shard->without_slot;
  if (without_slot > 0) {
    *capacity_needed = slots->capacity() + without_slot;
    return 0;
  }
  RunPhase(Phase::retire);

  Changes changes;
  double cpu_ns = 0;
  for (auto& shard : shards_) {
    changes.Add(shard->changes);
    cpu_ns += shard->cpu_ns;
  }
  table_->Publish(pids_, changes, cpu_ns);
  return 0;
}

void Scanner::Adopt(const std::vector<KnownProcess>& processes) {
  for (const KnownProcess& process : processes) ShardOf(process.pid)->Adopt(process);
}

void Scanner::RunPhase(Phase phase) {
  for (auto& shard : shards_) shard->Begin(phase);
  for (auto& shard : shards_) shard->Wait();
}

}  // namespace procmuster
