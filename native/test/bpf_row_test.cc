#include <gtest/gtest.h>

#include <limits>

#include "source/bpf/exact_near.h"
#include "source/bpf/row.h"
#include "test/test_table.h"

namespace procmuster {
namespace {

TEST(StateLetter, IsTheOneThatProcShows) {
  struct Case {
    uint32_t state, exit_state;
    char letter;
  };
  const Case cases[] = {
      {0, 0, 'R'},
      {1, 0, 'S'},
      {2, 0, 'D'},
      {4, 0, 'T'},
      {8, 0, 't'},
      {0x80, 0x20, 'Z'},  // TASK_DEAD
      {0x80, 0x10, 'X'},
      {0x40, 0, 'P'},
      {0x402, 0, 'I'},   // TASK_IDLE
      {0x102, 0, 'D'},   // TASK_KILLABLE
      {0x104, 0, 'T'},   // TASK_STOPPED
      {0x2001, 0, 'S'},  // freezable
      {0x8000, 0, 'D'},  // frozen
      {0x1000, 0, 'D'},  // waits for a real-time lock
      {0x200, 0, 'R'},   // being woken
      {0x800, 0, 'R'},   // new
      {0xffffffff, 0xffffffff, 'D'},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(StateLetter(each.state, each.exit_state), each.letter) << each.state << " " << each.exit_state;
  }
}

process_row CpuTime(uint64_t total, uint64_t user, uint64_t system, ShownCpuTime kernels = {}) {
  process_row row = {};
  row.cpu_ns = total;
  row.utime_ns = user;
  row.stime_ns = system;
  row.prev_utime_ns = kernels.user_ns;
  row.prev_stime_ns = kernels.system_ns;
  return row;
}

void ExpectShown(ShownCpuTime shown, uint64_t user, uint64_t system) {
  EXPECT_EQ(shown.user_ns, user);
  EXPECT_EQ(shown.system_ns, system);
}

TEST(AdjustCpuTime, SplitsTheExactSumInTheRatioOfTheTicks) {
  ExpectShown(AdjustCpuTime(CpuTime(1000, 30, 10), {}), 750, 250);
  ExpectShown(AdjustCpuTime(CpuTime(1000, 30, 0), {}), 1000, 0);
  ExpectShown(AdjustCpuTime(CpuTime(1000, 0, 10), {}), 0, 1000);
  ExpectShown(AdjustCpuTime(CpuTime(1000, 0, 0), {}), 1000, 0);
  ExpectShown(AdjustCpuTime(CpuTime(0, 0, 0), {}), 0, 0);
}

TEST(AdjustCpuTime, HoldsCenturiesOfCpuTime) {
  const uint64_t century = 3'155'760'000'000'000'000;
  ExpectShown(AdjustCpuTime(CpuTime(2 * century, century, century), {}), century, century);
}

TEST(AdjustCpuTime, NeverGoesBack) {
  // More of the ticks are the system's now than when it was shown last.
  ExpectShown(AdjustCpuTime(CpuTime(1010, 10, 10), {750, 250}), 750, 260);
  ExpectShown(AdjustCpuTime(CpuTime(1010, 1000, 1), {750, 250}), 760, 250);
  ExpectShown(AdjustCpuTime(CpuTime(900, 10, 10), {750, 250}), 750, 250);
}

TEST(AdjustCpuTime, GoesOnFromWhatProcShowedOthers) {
  ExpectShown(AdjustCpuTime(CpuTime(1000, 10, 10, {600, 400}), {750, 250}), 600, 400);
  ExpectShown(AdjustCpuTime(CpuTime(1000, 10, 10, {500, 300}), {750, 250}), 750, 250);
}

TEST(StoreProcessRow, NeverTakesCpuTimeBack) {
  TestTable table(1);
  ShownCpuTime shown;
  StoreProcessRow(table.buffer, 0, CpuTime(1000, 30, 10), &shown);
  EXPECT_EQ(table.buffer.cpuTimeNs[0], 1000);
  StoreProcessRow(table.buffer, 0, CpuTime(950, 30, 10), &shown);
  EXPECT_EQ(table.buffer.cpuTimeNs[0], 1000);
  StoreProcessRow(table.buffer, 0, CpuTime(1001, 30, 10), &shown);
  EXPECT_EQ(table.buffer.cpuTimeNs[0], 1001);
}

TEST(StoreProcessRow, MarksWhatTheKernelDoesNotTell) {
  TestTable table(2);
  process_row row = {};
  ShownCpuTime shown;
  row.open_files = PROCMUSTER_UNKNOWN;
  row.rss_pages[0] = -3;  // the rest is on another CPU
  StoreProcessRow(table.buffer, 1, row, &shown);
  for (Column column : {col_pidfsInode, col_cgroupId, col_openFiles, col_rssAnonBytes, col_lockedBytes}) {
    EXPECT_TRUE(table.buffer.IsMissing(1, column)) << column;
  }
  for (Column column : {col_rssBytes, col_vszBytes, col_rchar, col_realUid, col_runQueueWaitNs}) {
    EXPECT_FALSE(table.buffer.IsMissing(1, column)) << column;
  }
  EXPECT_EQ(table.buffer.rssBytes[1], 0);
}

TEST(ExactNear, IsBothSidesOfAThreshold) {
  ExactNear near(100);
  EXPECT_FALSE(near.Contains(0));
  near.Set({5000, std::numeric_limits<double>::quiet_NaN(), 1000, -1});
  for (double bytes : {900.0, 1000.0, 1100.0, 4900.0, 5100.0}) EXPECT_TRUE(near.Contains(bytes)) << bytes;
  for (double bytes : {0.0, 899.0, 1101.0, 4899.0, 5101.0, 1e18}) EXPECT_FALSE(near.Contains(bytes)) << bytes;
  near.Set({});
  EXPECT_FALSE(near.Contains(1000));
}

TEST(ApproximateRssErrorBytes, GrowsWithTheCpus) {
  EXPECT_EQ(ApproximateRssErrorBytes(1, 4096), 3 * 32 * 4096);
  EXPECT_EQ(ApproximateRssErrorBytes(2, 4096), 768 * 1024);
  EXPECT_EQ(ApproximateRssErrorBytes(64, 4096), 96 * 1024 * 1024);
}

}  // namespace
}  // namespace procmuster
