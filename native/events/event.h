// One event as JavaScript gets it, from whichever source.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "events/records.h"

namespace procmuster {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// Not a number: unknown to the source.
struct Event {
  uint32_t type = 0;  // kEventFork...
  int32_t pid = 0;
  double ppid = kUnknown;
  double start_ticks = kUnknown;
  double pidfs_inode = kUnknown;
  double at_ms = kUnknown;  // epoch
  double lost = 0;          // events lost before this one, in all
  char name[16] = {};       // empty: unknown
  // kEventExit and kEventSignal
  double signal = kUnknown;
  double sender_pid = kUnknown;
  char sender_name[16] = {};
  // kEventExit
  double exit_code = kUnknown;
  double core_dumped = kUnknown;
  double oom_killed = kUnknown;
  double cpu_ns = kUnknown;
  double peak_rss_bytes = kUnknown;
  double read_bytes = kUnknown, write_bytes = kUnknown;
  double lifetime_ms = kUnknown;
};

// src/events/decode.ts reads the cells in this order.
constexpr size_t kEventCells = 21;

// Names go as bytes: two cells of eight each.
void WriteCells(const Event& event, double* cells);

// Takes a status of wait(2) apart.
void SetStatus(uint32_t status, Event* event);

}  // namespace procmuster
