#include "events/ring_buffer.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

namespace procmuster {
namespace {

uint64_t Acquire(const void* word) {
  return __atomic_load_n(static_cast<const uint64_t*>(word), __ATOMIC_ACQUIRE);
}

}  // namespace

RingBuffer::~RingBuffer() {
  if (consumer_page_) munmap(consumer_page_, page_);
  if (producer_pages_) munmap(producer_pages_, page_ + 2 * bytes_);
}

int RingBuffer::Map(int map_fd, size_t bytes) {
  page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  bytes_ = bytes;
  // The first page holds our position, which we write; the second the producer's. The data follow, and once
  // more behind themselves, so that no record is cut by the end.
  void* consumer = mmap(nullptr, page_, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (consumer == MAP_FAILED) return errno;
  consumer_page_ = consumer;
  void* producer = mmap(nullptr, page_ + 2 * bytes, PROT_READ, MAP_SHARED, map_fd, static_cast<off_t>(page_));
  if (producer == MAP_FAILED) return errno;
  producer_pages_ = producer;
  position_ = Acquire(consumer_page_);
  return 0;
}

const void* RingBuffer::Front(size_t* size) {
  const char* data = static_cast<const char*>(producer_pages_) + page_;
  while (position_ < Acquire(producer_pages_)) {
    const char* header = data + (position_ & (bytes_ - 1));
    uint32_t length = __atomic_load_n(reinterpret_cast<const uint32_t*>(header), __ATOMIC_ACQUIRE);
    if (length & BPF_RINGBUF_BUSY_BIT) return nullptr;
    bool discarded = (length & BPF_RINGBUF_DISCARD_BIT) != 0;
    length &= ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
    next_ = position_ + ((length + BPF_RINGBUF_HDR_SZ + 7) & ~uint64_t{7});
    if (!discarded) {
      *size = length;
      return header + BPF_RINGBUF_HDR_SZ;
    }
    Pop();
  }
  return nullptr;
}

void RingBuffer::Pop() {
  position_ = next_;
  // The producer may write over the record from here on.
  __atomic_store_n(static_cast<uint64_t*>(consumer_page_), position_, __ATOMIC_RELEASE);
}

}  // namespace procmuster
