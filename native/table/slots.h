// Which slot a process has. A process keeps its slot for life; a freed slot is given out again only one
// sample later, so that the last values of a process that has gone can still be read in the sample that
// misses it.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "table/buffer.h"

namespace procmuster {

class Slots {
 public:
  explicit Slots(uint32_t capacity) : capacity_(capacity) {}

  uint32_t capacity() const { return capacity_; }
  // Slots that have a tenant, or had one until the last sample.
  uint32_t used() const { return next_unused_ - static_cast<uint32_t>(free_.size()); }
  void Grow(uint32_t capacity) { capacity_ = capacity; }

  // To be called before a sample, from one thread: gives the slots freed in the sample before back.
  void BeginSample();
  // Makes Find and Take valid for pids up to `max_pid`; while no other thread uses the slots.
  void Reserve(int32_t max_pid);

  // Find and Take may run at the same time in several threads for different pids.
  uint32_t Find(int32_t pid) const { return slot_of_pid_[static_cast<size_t>(pid)]; }
  // Gives the pid a fresh slot, kNoSlot when the capacity is used up. `*generation` counts the slot's
  // tenants.
  uint32_t Take(int32_t pid, uint32_t* generation);
  // Frees the slot; the pid may have another one by now.
  void Free(int32_t pid, uint32_t slot);

 private:
  uint32_t capacity_;
  uint32_t next_unused_ = 0;
  std::mutex mutex_;                   // guards what follows, and the counters
  std::vector<uint32_t> free_;         // a stack
  std::vector<uint32_t> freed_;        // in the running sample
  std::vector<uint32_t> generations_;  // by slot
  std::vector<uint32_t> slot_of_pid_;  // not guarded: each pid belongs to one thread
};

}  // namespace procmuster
