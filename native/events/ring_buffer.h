// The reading side of a BPF ring buffer (kernel/bpf/ringbuf.c): one consumer, no copy.
#pragma once

#include <cstddef>
#include <cstdint>

namespace procmuster {

class RingBuffer {
 public:
  RingBuffer() = default;
  RingBuffer(const RingBuffer&) = delete;
  RingBuffer& operator=(const RingBuffer&) = delete;
  ~RingBuffer();

  // `bytes`: the map's max_entries. An errno, 0 for success.
  int Map(int map_fd, size_t bytes);
  // The oldest record, good until Pop(); null when there is none, or when it is still being written.
  const void* Front(size_t* size);
  // Gives the record's room back.
  void Pop();

 private:
  void* consumer_page_ = nullptr;
  void* producer_pages_ = nullptr;
  size_t bytes_ = 0;
  size_t page_ = 0;
  uint64_t position_ = 0;
  uint64_t next_ = 0;
};

}  // namespace procmuster
