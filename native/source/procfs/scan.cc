#include "source/procfs/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "common/clock.h"
#include "source/procfs/parse.h"
#include "source/procfs/pid_list.h"
#include "source/procfs/shard.h"

namespace procmuster {
namespace {

// Same hash for a pid's whole life. Not the low bits: programs that fork in pairs would fill one shard only.
uint32_t ShardOf(int32_t pid, size_t shards) {
  return static_cast<uint32_t>((static_cast<uint64_t>(static_cast<uint32_t>(pid) * 2654435761u) * shards) >>
                               32);
}

double ReadMemTotal(int proc_fd) {
  UniqueFd fd(openat(proc_fd, "meminfo", O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return 0;
  char text[4096];
  ssize_t got = read(fd.get(), text, sizeof text);
  return got > 0 ? static_cast<double>(ParseMemTotal({text, static_cast<size_t>(got)})) : 0;
}

void Release(int32_t* word, uint64_t sequence) {
  std::atomic_ref<int32_t>(*word).store(static_cast<int32_t>(sequence), std::memory_order_seq_cst);
}

}  // namespace

Scanner::Scanner(ScanOptions options) : options_(std::move(options)), pass_(std::make_unique<ScanPass>()) {}

Scanner::~Scanner() = default;

int Scanner::Open() {
  proc_.reset(open(options_.proc_root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!proc_.valid()) return errno;
  for (uint32_t i = 0; i < options_.threads; i++) {
    shards_.push_back(std::make_unique<Shard>(options_, &slots_, pass_.get(), &cancelled_));
    if (int error = shards_.back()->Open()) return error;
  }
  return 0;
}

void Scanner::Attach(const TableBuffer buffers[2]) {
  if (slots_) {
    const size_t last = published_ % 2;
    if (published_ > 0) CopyTable(buffers_[last], buffers[last]);
    slots_->Grow(buffers[0].capacity);
  } else {
    slots_ = std::make_unique<Slots>(buffers[0].capacity);
  }
  buffers_[0] = buffers[0];
  buffers_[1] = buffers[1];
}

int Scanner::Sample(uint64_t sequence, uint32_t* capacity_needed) {
  *capacity_needed = 0;
  const double started_ns = ClockNs(CLOCK_MONOTONIC);
  const double started_cpu_ns = ClockNs(CLOCK_THREAD_CPUTIME_ID);
  pass_->sequence = sequence;
  pass_->round++;
  pass_->current = buffers_[sequence % 2];
  pass_->previous = buffers_[(sequence + 1) % 2];
  pass_->now_ticks = NowTicks();
  pass_->mem_total_bytes = ReadMemTotal(proc_.get());
  Release(&pass_->current.control[0], sequence);

  if (int error = ListPids(proc_.get(), &pids_)) return error;
  // Where proc is mounted there is at least ourselves: that all have ended would be the wrong thing to say.
  if (pids_.empty()) return ENOENT;
  slots_->BeginSample(pids_.back());
  uint32_t unknown = 0;
  for (auto& shard : shards_) shard->pids.clear();
  for (int32_t pid : pids_) {
    if (slots_->Find(pid) == kNoSlot) unknown++;
    shards_[ShardOf(pid, shards_.size())]->pids.push_back(pid);
  }
  if (slots_->used() + unknown > slots_->capacity()) {
    *capacity_needed = slots_->used() + unknown;
    return 0;
  }

  RunPhase(Phase::read);
  if (cancelled_.load(std::memory_order_relaxed)) return ECANCELED;
  for (auto& shard : shards_) {
    if (shard->shortage != 0) return shard->shortage;
  }
  uint32_t without_slot = 0;
  for (auto& shard : shards_) without_slot += shard->without_slot;
  if (without_slot > 0) {
    *capacity_needed = slots_->capacity() + without_slot;
    return 0;
  }
  RunPhase(Phase::retire);

  double cpu_ns = ClockNs(CLOCK_THREAD_CPUTIME_ID) - started_cpu_ns;
  for (auto& shard : shards_) cpu_ns += shard->cpu_ns;
  Publish(started_ns, cpu_ns);
  return 0;
}

void Scanner::RunPhase(Phase phase) {
  for (auto& shard : shards_) shard->Begin(phase);
  for (auto& shard : shards_) shard->Wait();
}

void Scanner::Publish(double started_ns, double cpu_ns) {
  const TableBuffer& table = pass_->current;
  uint32_t size = 0;
  for (int32_t pid : pids_) {
    const uint32_t slot = slots_->Find(pid);
    if (slot != kNoSlot) table.slots[size++] = slot;
  }
  uint32_t born = 0, gone = 0, execed = 0, vanished = 0, kept = 0;
  for (auto& shard : shards_) {
    for (uint32_t slot : shard->born) table.born[born++] = slot;
    for (uint32_t slot : shard->gone) table.gone[gone++] = slot;
    for (uint32_t slot : shard->execed) table.execed[execed++] = slot;
    vanished += shard->vanished;
    kept += shard->kept_descriptors();
  }
  double* header = table.header;
  header[header_sequence] = static_cast<double>(pass_->sequence);
  header[header_size] = size;
  header[header_bornCount] = born;
  header[header_goneCount] = gone;
  header[header_execedCount] = execed;
  header[header_sampledAtMs] = ClockNs(CLOCK_REALTIME) / 1e6;
  header[header_elapsedMs] =
      published_ > 0 ? (started_ns - last_started_ns_) / 1e6 : std::numeric_limits<double>::quiet_NaN();
  header[header_sampledTicks] = static_cast<double>(pass_->now_ticks);
  header[header_scanWallNs] = ClockNs(CLOCK_MONOTONIC) - started_ns;
  header[header_scanCpuNs] = cpu_ns;
  header[header_memTotalBytes] = pass_->mem_total_bytes;
  header[header_vanished] = vanished;
  header[header_openDescriptors] = kept;
  Release(&table.control[1], pass_->sequence);
  last_started_ns_ = started_ns;
  published_ = pass_->sequence;
}

}  // namespace procmuster
