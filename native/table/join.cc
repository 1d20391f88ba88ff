#include "table/join.h"

#include <algorithm>
#include <limits>

namespace procmuster {
namespace {

struct Rate {
  double* TableBuffer::*counter;
  double* TableBuffer::*rate;
  Column counter_id;
  Column rate_id;
};

#define PROCMUSTER_RATE(counter, rate) \
  { &TableBuffer::counter, &TableBuffer::rate, col_##counter, col_##rate }
constexpr Rate kRates[] = {
    PROCMUSTER_RATE(minorFaults, minorFaultsPerSecond),
    PROCMUSTER_RATE(majorFaults, majorFaultsPerSecond),
    PROCMUSTER_RATE(readBytes, readBytesPerSecond),
    PROCMUSTER_RATE(writeBytes, writeBytesPerSecond),
    PROCMUSTER_RATE(rchar, rcharPerSecond),
    PROCMUSTER_RATE(wchar, wcharPerSecond),
};
#undef PROCMUSTER_RATE

}  // namespace

void SetMissing(const TableBuffer& table, uint32_t slot, Column column) {
  switch (column) {
#define PROCMUSTER_CLEAR(name, type, unit, group, description)                                         \
  case col_##name:                                                                                     \
    if (table.name) {                                                                                  \
      table.name[slot] =                                                                               \
          std::numeric_limits<type>::has_quiet_NaN ? std::numeric_limits<type>::quiet_NaN() : type{0}; \
    }                                                                                                  \
    break;
    PROCMUSTER_COLUMNS(PROCMUSTER_CLEAR)
#undef PROCMUSTER_CLEAR
    case column_count:
      return;
  }
  table.MarkMissing(slot, column);
}

void DeriveRow(const TableBuffer& current, const TableBuffer& previous, uint32_t slot, bool has_previous,
               double mem_total_bytes) {
  if (mem_total_bytes > 0 && !current.IsMissing(slot, col_rssBytes)) {
    current.memoryPercent[slot] = current.rssBytes[slot] * 100 / mem_total_bytes;
  } else {
    SetMissing(current, slot, col_memoryPercent);
  }

  // Rows are read one after the other: the row's own times give the interval, not the table's.
  const double elapsed_ns = has_previous ? current.readTimeNs[slot] - previous.readTimeNs[slot] : 0;
  if (elapsed_ns > 0) {
    const double used_ns = current.cpuTimeNs[slot] - previous.cpuTimeNs[slot];
    current.cpuPercent[slot] = std::max(used_ns, 0.0) * 100 / elapsed_ns;
  } else {
    SetMissing(current, slot, col_cpuPercent);
  }
  const double per_second = 1e9 / elapsed_ns;
  for (const Rate& rate : kRates) {
    if (!(current.*rate.rate)) continue;
    if (elapsed_ns > 0 && !current.IsMissing(slot, rate.counter_id) &&
        !previous.IsMissing(slot, rate.counter_id)) {
      const double delta = (current.*rate.counter)[slot] - (previous.*rate.counter)[slot];
      (current.*rate.rate)[slot] = std::max(delta, 0.0) * per_second;
    } else {
      SetMissing(current, slot, rate.rate_id);
    }
  }
}

}  // namespace procmuster
