#include "table/slots.h"

namespace procmuster {

void Slots::BeginSample() {
  std::lock_guard lock(mutex_);
  free_.insert(free_.end(), freed_.begin(), freed_.end());
  freed_.clear();
}

void Slots::Reserve(int32_t max_pid) {
  const size_t needed = static_cast<size_t>(max_pid) + 1;
  if (needed > slot_of_pid_.size()) slot_of_pid_.resize(needed, kNoSlot);
}

uint32_t Slots::Take(int32_t pid, uint32_t* generation) {
  std::lock_guard lock(mutex_);
  uint32_t slot;
  if (!free_.empty()) {
    slot = free_.back();
    free_.pop_back();
  } else if (next_unused_ < capacity_) {
    slot = next_unused_++;
    generations_.resize(next_unused_, 0);
  } else {
    return kNoSlot;
  }
  *generation = ++generations_[slot];
  slot_of_pid_[static_cast<size_t>(pid)] = slot;
  return slot;
}

void Slots::Free(int32_t pid, uint32_t slot) {
  std::lock_guard lock(mutex_);
  freed_.push_back(slot);
  uint32_t& bound = slot_of_pid_[static_cast<size_t>(pid)];
  if (bound == slot) bound = kNoSlot;
}

}  // namespace procmuster
