// A table buffer in ordinary memory, laid out as src/table/layout.ts does it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "table/buffer.h"

namespace procmuster {

class TestTable {
 public:
  explicit TestTable(uint32_t capacity, bool with_io = true, bool with_status = true) {
    size_t end = header_count * sizeof(double);
    auto place = [&](size_t bytes) {
      size_t at = (end + 63) / 64 * 64;
      end = at + bytes + 5 * 64;
      return static_cast<double>(at);
    };
    offsets = {place(8)};
    for (int i = 0; i < 4; i++) offsets.push_back(place(size_t{4} * capacity));
    offsets.push_back(place(size_t{4} * kMissingWords * capacity));
    offsets.push_back(place(size_t{kNameBytes} * capacity));
    auto chosen = [&](ColumnGroup group) {
      return group == ColumnGroup::io ? with_io : group == ColumnGroup::status ? with_status : true;
    };
#define PROCMUSTER_PLACE(name, type, unit, group, description) \
  offsets.push_back(chosen(ColumnGroup::group) ? place(sizeof(type) * capacity) : -1);
    PROCMUSTER_COLUMNS(PROCMUSTER_PLACE)
#undef PROCMUSTER_PLACE
    bytes = end;
    memory.reset(static_cast<uint8_t*>(calloc(1, bytes)));
    EXPECT_TRUE(MapBuffer(memory.get(), bytes, offsets.data(), capacity, &buffer));
  }

  struct Release {
    void operator()(uint8_t* memory) const { free(memory); }
  };
  std::vector<double> offsets;
  size_t bytes = 0;
  std::unique_ptr<uint8_t, Release> memory;
  TableBuffer buffer;
};

}  // namespace procmuster
