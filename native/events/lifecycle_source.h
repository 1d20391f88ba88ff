// Events from the kernel program, read out of its ring buffer in place.
#pragma once

#include <cstdint>

#include "bpf/kernel_program.h"
#include "common/unique_fd.h"
#include "events/event.h"
#include "events/event_source.h"
#include "events/ring_buffer.h"

namespace procmuster {

class LifecycleSource : public EventSource {
 public:
  // `wanted`: bits 1 << kEvent...; `bytes`: a power of two, at least a page.
  LifecycleSource(uint32_t wanted, uint32_t bytes) : wanted_(wanted), bytes_(bytes) {}

  int Open(std::string* refusal) override;
  int fd() const override { return ring_fd_.get(); }
  bool eager() const override { return false; }
  bool Collect() override { return true; }
  size_t Drain(double* cells, size_t capacity) override;
  double lost() const override;

 private:
  int Attach(int program_fd, uint32_t types, UniqueFd* link);
  bool Read(const void* record, size_t size, Event* event) const;
  void ReadExit(const lifecycle_exit& record, Event* event) const;

  const uint32_t wanted_;
  const uint32_t bytes_;
  UniqueFd ring_fd_;
  MappedMap state_;
  RingBuffer ring_;
  UniqueFd links_[5];
  double tick_ns_ = 0;
  double page_bytes_ = 0;
  double epoch_ns_ = 0;  // of CLOCK_BOOTTIME 0, as of this batch
};

}  // namespace procmuster
