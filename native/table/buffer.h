// One table buffer: typed pointers into memory that JavaScript owns and workers read (src/table/layout.ts
// places the regions). A column whose group was not chosen is null.
#pragma once

#include <cstdint>
#include <string_view>

#include "table/layout.h"

namespace procmuster {

using Int32 = int32_t;
using Uint32 = uint32_t;
using Uint8 = uint8_t;
using Float64 = double;

constexpr uint32_t kNoSlot = UINT32_MAX;

struct TableBuffer {
  uint32_t capacity = 0;
  double* header = nullptr;
  int32_t* control = nullptr;  // [sequence begun, sequence ended]
  uint32_t* slots = nullptr;
  uint32_t* born = nullptr;
  uint32_t* gone = nullptr;
  uint32_t* execed = nullptr;
  uint32_t* missing = nullptr;
  char* names = nullptr;
#define PROCMUSTER_MEMBER(name, type, unit, group, description) type* name = nullptr;
  PROCMUSTER_COLUMNS(PROCMUSTER_MEMBER)
#undef PROCMUSTER_MEMBER

  uint32_t* MissingOf(uint32_t slot) const { return missing + size_t{slot} * kMissingWords; }
  char* NameOf(uint32_t slot) const { return names + size_t{slot} * kNameBytes; }
  // Zero-padded, cut to the region's width.
  void StoreName(uint32_t slot, std::string_view name) const;
  void MarkMissing(uint32_t slot, Column column) const {
    MissingOf(slot)[column / 32] |= 1u << (column % 32);
  }
  bool IsMissing(uint32_t slot, Column column) const {
    return (MissingOf(slot)[column / 32] >> (column % 32)) & 1;
  }
};

// Byte offsets of the regions within a buffer: control, slots, born, gone, execed, missing, names, then every
// column by id (-1: not in this table).
constexpr uint32_t kRegionCount = 7 + column_count;

// False unless all regions lie within `bytes` and are aligned for their type.
bool MapBuffer(uint8_t* base, size_t bytes, const double* offsets, uint32_t capacity, TableBuffer* out);

// Copies one process's cells, marks and name.
void CopyRow(const TableBuffer& from, const TableBuffer& to, uint32_t slot);

// Copies the rows and the header of a buffer into a larger one.
void CopyTable(const TableBuffer& from, const TableBuffer& to);

}  // namespace procmuster
