#include "events/ring_buffer.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "common/unique_fd.h"

namespace procmuster {
namespace {

// The producer's side, as kernel/bpf/ringbuf.c lays it out, in a file of memory. What goes beyond the end is
// not mirrored to the beginning.
class Producer {
 public:
  static constexpr size_t kBytes = 4096;

  Producer() : fd_(memfd_create("ring", MFD_CLOEXEC)), page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    size_t size = 2 * page_ + 2 * kBytes;
    EXPECT_EQ(ftruncate(fd_.get(), static_cast<off_t>(size)), 0);
    memory_ = static_cast<char*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0));
  }

  int fd() const { return fd_.get(); }
  uint64_t consumed() const { return *reinterpret_cast<const uint64_t*>(memory_); }
  uint32_t* Reserve(const char* text, uint32_t size) {
    char* header = memory_ + 2 * page_ + (produced_ & (kBytes - 1));
    memcpy(header + BPF_RINGBUF_HDR_SZ, text, strlen(text) + 1);
    auto* length = reinterpret_cast<uint32_t*>(header);
    *length = size | BPF_RINGBUF_BUSY_BIT;
    produced_ += (size + BPF_RINGBUF_HDR_SZ + 7) & ~7u;
    memcpy(memory_ + page_, &produced_, sizeof(produced_));
    return length;
  }

 private:
  UniqueFd fd_;
  size_t page_;
  char* memory_;
  uint64_t produced_ = 0;
};

TEST(RingBuffer, GivesRecordsInOrderAndTheirRoomBack) {
  Producer producer;
  RingBuffer ring;
  ASSERT_EQ(ring.Map(producer.fd(), Producer::kBytes), 0);
  size_t size;
  EXPECT_EQ(ring.Front(&size), nullptr);
  uint32_t* first = producer.Reserve("first", 10);
  uint32_t* second = producer.Reserve("second", 16);
  *second &= ~BPF_RINGBUF_BUSY_BIT;
  EXPECT_EQ(ring.Front(&size), nullptr);  // it waits for the one before
  *first &= ~BPF_RINGBUF_BUSY_BIT;
  EXPECT_STREQ(static_cast<const char*>(ring.Front(&size)), "first");
  EXPECT_EQ(size, 10u);
  EXPECT_EQ(producer.consumed(), 0u);
  ring.Pop();
  EXPECT_EQ(producer.consumed(), 24u);
  EXPECT_STREQ(static_cast<const char*>(ring.Front(&size)), "second");
  EXPECT_EQ(size, 16u);
  ring.Pop();
  EXPECT_EQ(producer.consumed(), 48u);
  EXPECT_EQ(ring.Front(&size), nullptr);
}

TEST(RingBuffer, PassesOverWhatWasDiscarded) {
  Producer producer;
  RingBuffer ring;
  ASSERT_EQ(ring.Map(producer.fd(), Producer::kBytes), 0);
  *producer.Reserve("gone", 8) = 8 | BPF_RINGBUF_DISCARD_BIT;
  *producer.Reserve("kept", 8) = 8;
  *producer.Reserve("gone", 8) = 8 | BPF_RINGBUF_DISCARD_BIT;
  size_t size;
  EXPECT_STREQ(static_cast<const char*>(ring.Front(&size)), "kept");
  ring.Pop();
  EXPECT_EQ(ring.Front(&size), nullptr);
  EXPECT_EQ(producer.consumed(), 48u);
}

TEST(RingBuffer, GoesRound) {
  Producer producer;
  RingBuffer ring;
  ASSERT_EQ(ring.Map(producer.fd(), Producer::kBytes), 0);
  size_t size;
  for (int i = 0; i < 1000; i++) {
    std::string text = std::to_string(i);
    *producer.Reserve(text.c_str(), 24) = 24;
    ASSERT_STREQ(static_cast<const char*>(ring.Front(&size)), text.c_str());
    ring.Pop();
  }
  EXPECT_EQ(ring.Front(&size), nullptr);
}

TEST(RingBuffer, SaysWhatCannotBeMapped) {
  RingBuffer ring;
  EXPECT_EQ(ring.Map(-1, Producer::kBytes), EBADF);
}

}  // namespace
}  // namespace procmuster
