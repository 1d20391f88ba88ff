#include "table/join.h"

#include <gtest/gtest.h>

#include <cmath>

#include "test/test_table.h"

namespace procmuster {
namespace {

constexpr double kSecond = 1e9;

// Slot 2, read half a second apart.
class DeriveRowTest : public testing::Test {
 protected:
  DeriveRowTest() {
    before.readTimeNs[2] = 10 * kSecond;
    now.readTimeNs[2] = 10.5 * kSecond;
  }
  void Derive(bool has_previous = true, double mem_total = 1000) {
    DeriveRow(now, before, 2, has_previous, mem_total);
  }

  TestTable previous{4}, current{4};
  TableBuffer& before = previous.buffer;
  TableBuffer& now = current.buffer;
};

TEST_F(DeriveRowTest, RatesAreOverTheRowsOwnTime) {
  before.cpuTimeNs[2] = 4 * kSecond;
  now.cpuTimeNs[2] = 4.5 * kSecond;
  before.minorFaults[2] = 100;
  now.minorFaults[2] = 150;
  before.readBytes[2] = 1000;
  now.readBytes[2] = 1512;
  now.rssBytes[2] = 250;
  Derive();
  EXPECT_DOUBLE_EQ(now.cpuPercent[2], 100);
  EXPECT_DOUBLE_EQ(now.minorFaultsPerSecond[2], 100);
  EXPECT_DOUBLE_EQ(now.readBytesPerSecond[2], 1024);
  EXPECT_DOUBLE_EQ(now.majorFaultsPerSecond[2], 0);
  EXPECT_DOUBLE_EQ(now.memoryPercent[2], 25);
  EXPECT_FALSE(now.IsMissing(2, col_cpuPercent));
  EXPECT_FALSE(now.IsMissing(2, col_minorFaultsPerSecond));
}

TEST_F(DeriveRowTest, ANewProcessHasNoRates) {
  Derive(false);
  for (Column column :
       {col_cpuPercent, col_minorFaultsPerSecond, col_readBytesPerSecond, col_wcharPerSecond}) {
    EXPECT_TRUE(now.IsMissing(2, column)) << column;
  }
  EXPECT_TRUE(std::isnan(now.cpuPercent[2]));
  EXPECT_FALSE(now.IsMissing(2, col_memoryPercent));
}

TEST_F(DeriveRowTest, NoTimePassedIsNoRate) {
  now.readTimeNs[2] = before.readTimeNs[2];
  now.cpuTimeNs[2] = kSecond;
  Derive();
  EXPECT_TRUE(now.IsMissing(2, col_cpuPercent));
}

TEST_F(DeriveRowTest, AMissingCounterIsAMissingRateOnEitherSide) {
  SetMissing(now, 2, col_readBytes);
  SetMissing(before, 2, col_writeBytes);
  before.rchar[2] = 5;
  now.rchar[2] = 10;
  Derive();
  EXPECT_TRUE(now.IsMissing(2, col_readBytesPerSecond));
  EXPECT_TRUE(now.IsMissing(2, col_writeBytesPerSecond));
  EXPECT_DOUBLE_EQ(now.rcharPerSecond[2], 10);
}

TEST_F(DeriveRowTest, ACounterThatWentBackIsNoNegativeRate) {
  before.cpuTimeNs[2] = 5 * kSecond;
  before.minorFaults[2] = 10;
  Derive();
  EXPECT_EQ(now.cpuPercent[2], 0);
  EXPECT_EQ(now.minorFaultsPerSecond[2], 0);
}

TEST_F(DeriveRowTest, UnknownMemoryIsNoPercentage) {
  Derive(true, 0);
  EXPECT_TRUE(now.IsMissing(2, col_memoryPercent));
}

TEST(DeriveRow, GroupsThatWereNotChosenAreLeftAlone) {
  TestTable before(2, false, false), now(2, false, false);
  now.buffer.readTimeNs[1] = kSecond;
  DeriveRow(now.buffer, before.buffer, 1, true, 1000);
  EXPECT_EQ(now.buffer.readBytesPerSecond, nullptr);
  EXPECT_FALSE(now.buffer.IsMissing(1, col_cpuPercent));
}

}  // namespace
}  // namespace procmuster
