#include "table/slots.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

namespace procmuster {
namespace {

TEST(Slots, AProcessKeepsItsSlotAndAFreedOneRestsForASample) {
  Slots slots(4);
  uint32_t generation;
  slots.BeginSample();
  slots.Reserve(100);
  EXPECT_EQ(slots.Find(7), kNoSlot);
  const uint32_t seven = slots.Take(7, &generation);
  EXPECT_EQ(generation, 1u);
  EXPECT_EQ(slots.Find(7), seven);
  slots.BeginSample();
  slots.Reserve(100);
  EXPECT_EQ(slots.Find(7), seven);

  slots.Free(7, seven);
  EXPECT_EQ(slots.Find(7), kNoSlot);
  const uint32_t eight = slots.Take(8, &generation);
  EXPECT_NE(eight, seven) << "its last values can still be read in this sample";
  EXPECT_EQ(generation, 1u);
  slots.BeginSample();
  slots.Reserve(100);
  EXPECT_EQ(slots.Take(9, &generation), seven);
  EXPECT_EQ(generation, 2u) << "the second tenant";
}

TEST(Slots, AReusedPidKeepsItsNewSlotWhenTheOldOneIsFreed) {
  Slots slots(4);
  uint32_t generation;
  slots.BeginSample();
  slots.Reserve(100);
  const uint32_t first = slots.Take(7, &generation);
  const uint32_t second = slots.Take(7, &generation);
  slots.Free(7, first);
  EXPECT_EQ(slots.Find(7), second);
}

TEST(Slots, SaysWhenItIsFullAndGrows) {
  Slots slots(2);
  uint32_t generation;
  slots.BeginSample();
  slots.Reserve(10);
  const uint32_t first = slots.Take(1, &generation);
  slots.Take(2, &generation);
  EXPECT_EQ(slots.used(), 2u);
  EXPECT_EQ(slots.Take(3, &generation), kNoSlot);
  EXPECT_EQ(slots.Find(3), kNoSlot);
  slots.Free(1, first);
  EXPECT_EQ(slots.Take(3, &generation), kNoSlot) << "freed in this sample";
  slots.Grow(3);
  EXPECT_EQ(slots.Take(3, &generation), 2u);
  slots.BeginSample();
  slots.Reserve(10);
  EXPECT_EQ(slots.used(), 2u);
}

TEST(Slots, PidsFarBeyondTheFirstOnes) {
  Slots slots(2);
  uint32_t generation;
  slots.BeginSample();
  slots.Reserve(1);
  slots.BeginSample();
  slots.Reserve(4'194'304);
  EXPECT_EQ(slots.Find(4'194'304), kNoSlot);
  EXPECT_NE(slots.Take(4'194'304, &generation), kNoSlot);
}

// Scan threads take and free at the same time, each for pids of its own; the thread sanitizer watches.
TEST(Slots, ThreadsNeverShareASlot) {
  constexpr int kThreads = 4, kPids = 500, kSamples = 20;
  Slots slots(2 * kThreads * kPids);
  for (int sample = 0; sample < kSamples; sample++) {
    slots.BeginSample();
    slots.Reserve(kThreads * kPids);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; thread++) {
      threads.emplace_back([&slots, thread] {
        for (int i = 0; i < kPids; i++) {
          const int32_t pid = i * kThreads + thread + 1;
          const uint32_t held = slots.Find(pid);
          uint32_t generation;
          if (held == kNoSlot) {
            slots.Take(pid, &generation);
          } else if (i % 3 == 0) {
            slots.Free(pid, held);
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::set<uint32_t> held;
    for (int32_t pid = 1; pid <= kThreads * kPids; pid++) {
      const uint32_t slot = slots.Find(pid);
      if (slot != kNoSlot) {
        EXPECT_TRUE(held.insert(slot).second) << "slot " << slot;
      }
    }
  }
}

}  // namespace
}  // namespace procmuster
