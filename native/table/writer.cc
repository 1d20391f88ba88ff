#include "table/writer.h"

#include <atomic>
#include <limits>

#include "common/clock.h"

namespace procmuster {
namespace {

void Release(int32_t* word, uint64_t sequence) {
  std::atomic_ref<int32_t>(*word).store(static_cast<int32_t>(sequence), std::memory_order_seq_cst);
}

void Append(const std::vector<uint32_t>& from, std::vector<uint32_t>* to) {
  to->insert(to->end(), from.begin(), from.end());
}

void Store(const std::vector<uint32_t>& from, uint32_t* list, double* count) {
  for (size_t i = 0; i < from.size(); i++) list[i] = from[i];
  *count = static_cast<double>(from.size());
}

}  // namespace

void Changes::Clear() {
  born.clear();
  gone.clear();
  execed.clear();
  vanished = 0;
  open_descriptors = 0;
}

void Changes::Add(const Changes& other) {
  Append(other.born, &born);
  Append(other.gone, &gone);
  Append(other.execed, &execed);
  vanished += other.vanished;
  open_descriptors += other.open_descriptors;
}

void TableWriter::Attach(const TableBuffer buffers[2]) {
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

void TableWriter::Begin(uint64_t sequence, double mem_total_bytes) {
  began_ns_ = ClockNs(CLOCK_MONOTONIC);
  began_cpu_ns_ = ClockNs(CLOCK_THREAD_CPUTIME_ID);
  pass_.sequence = sequence;
  pass_.round++;
  pass_.current = buffers_[sequence % 2];
  pass_.previous = buffers_[(sequence + 1) % 2];
  pass_.mem_total_bytes = mem_total_bytes;
  pass_.now_ticks = NowTicks();
  Release(&pass_.current.control[0], sequence);
}

void TableWriter::Publish(std::span<const int32_t> pids, const Changes& changes, double other_cpu_ns) {
  const TableBuffer& table = pass_.current;
  uint32_t size = 0;
  for (int32_t pid : pids) {
    const uint32_t slot = slots_->Find(pid);
    if (slot != kNoSlot) table.slots[size++] = slot;
  }
  double* header = table.header;
  Store(changes.born, table.born, &header[header_bornCount]);
  Store(changes.gone, table.gone, &header[header_goneCount]);
  Store(changes.execed, table.execed, &header[header_execedCount]);
  header[header_sequence] = static_cast<double>(pass_.sequence);
  header[header_size] = size;
  header[header_sampledAtMs] = ClockNs(CLOCK_REALTIME) / 1e6;
  header[header_elapsedMs] =
      published_ > 0 ? (began_ns_ - last_began_ns_) / 1e6 : std::numeric_limits<double>::quiet_NaN();
  header[header_sampledTicks] = static_cast<double>(pass_.now_ticks);
  header[header_scanWallNs] = ClockNs(CLOCK_MONOTONIC) - began_ns_;
  header[header_scanCpuNs] = ClockNs(CLOCK_THREAD_CPUTIME_ID) - began_cpu_ns_ + other_cpu_ns;
  header[header_memTotalBytes] = pass_.mem_total_bytes;
  header[header_vanished] = changes.vanished;
  header[header_openDescriptors] = changes.open_descriptors;
  Release(&table.control[1], pass_.sequence);
  last_began_ns_ = began_ns_;
  published_ = pass_.sequence;
}

}  // namespace procmuster
