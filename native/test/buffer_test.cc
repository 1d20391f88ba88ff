#include "table/buffer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "test/test_table.h"

namespace procmuster {
namespace {

TEST(MapBuffer, LeavesOutGroupsThatWereNotChosen) {
  TestTable table(8, false, true);
  EXPECT_NE(table.buffer.rssBytes, nullptr);
  EXPECT_EQ(table.buffer.readBytes, nullptr);
  EXPECT_NE(table.buffer.swapBytes, nullptr);
}

// The offsets come from JavaScript: whatever they are, no pointer may leave the buffer.
TEST(MapBuffer, RefusesOffsetsOutsideOrUnaligned) {
  TestTable table(8);
  const double bad[] = {-1,
                        0.5,
                        1,
                        1e300,
                        static_cast<double>(table.bytes),
                        static_cast<double>(table.bytes) - 2,
                        std::nan(""),
                        std::numeric_limits<double>::infinity()};
  for (size_t region = 0; region < kRegionCount; region++) {
    for (double offset : bad) {
      // No offset (-1, NaN) leaves a column of an optional group out; names and bytes have no alignment.
      std::vector<double> offsets = table.offsets;
      offsets[region] = offset;
      TableBuffer out;
      if (MapBuffer(table.memory.get(), table.bytes, offsets.data(), 8, &out)) {
        EXPECT_TRUE(offset == -1 || offset == 1 || std::isnan(offset))
            << "region " << region << " at " << offset;
      }
    }
  }
  TableBuffer out;
  EXPECT_FALSE(MapBuffer(table.memory.get(), table.bytes, table.offsets.data(), UINT32_MAX, &out));
  EXPECT_FALSE(MapBuffer(table.memory.get(), table.bytes / 2, table.offsets.data(), 8, &out));
}

TEST(CopyTable, KeepsRowsMarksAndNamesInALargerOne) {
  TestTable small(4), large(16);
  small.buffer.rssBytes[3] = 4096;
  small.buffer.MarkMissing(3, col_majorFaults);
  strcpy(small.buffer.NameOf(3), "name");
  small.buffer.slots[0] = 3;
  CopyTable(small.buffer, large.buffer);
  EXPECT_EQ(large.buffer.rssBytes[3], 4096);
  EXPECT_TRUE(large.buffer.IsMissing(3, col_majorFaults));
  EXPECT_FALSE(large.buffer.IsMissing(3, col_rssBytes));
  EXPECT_STREQ(large.buffer.NameOf(3), "name");
  EXPECT_EQ(large.buffer.slots[0], 3u);
}

}  // namespace
}  // namespace procmuster
