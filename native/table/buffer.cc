#include "table/buffer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace procmuster {
namespace {

// Places `count` elements at a byte offset of the buffer, if they fit.
template <typename T>
bool Place(uint8_t* base, size_t bytes, double offset, uint64_t count, T** out) {
  if (!(offset >= 0) || offset != std::floor(offset) || offset > static_cast<double>(bytes)) return false;
  size_t at = static_cast<size_t>(offset);
  if (count > (bytes - at) / sizeof(T)) return false;
  *out = reinterpret_cast<T*>(base + at);
  return reinterpret_cast<uintptr_t>(*out) % alignof(T) == 0;
}

}  // namespace

bool MapBuffer(uint8_t* base, size_t bytes, const double* offsets, uint32_t capacity, TableBuffer* out) {
  const uint64_t rows = capacity;
  out->capacity = capacity;
  bool ok = Place(base, bytes, 0, header_count, &out->header);
  ok &= Place(base, bytes, *offsets++, 2, &out->control);
  ok &= Place(base, bytes, *offsets++, rows, &out->slots);
  ok &= Place(base, bytes, *offsets++, rows, &out->born);
  ok &= Place(base, bytes, *offsets++, rows, &out->gone);
  ok &= Place(base, bytes, *offsets++, rows, &out->execed);
  ok &= Place(base, bytes, *offsets++, rows * kMissingWords, &out->missing);
  ok &= Place(base, bytes, *offsets++, rows * kNameBytes, &out->names);
#define PROCMUSTER_PLACE(name, type, unit, group, description)   \
  if (*offsets >= 0 || ColumnGroup::group == ColumnGroup::table) \
    ok &= Place(base, bytes, *offsets, rows, &out->name);        \
  offsets++;
  PROCMUSTER_COLUMNS(PROCMUSTER_PLACE)
#undef PROCMUSTER_PLACE
  return ok;
}

void TableBuffer::StoreName(uint32_t slot, std::string_view name) const {
  const size_t length = std::min<size_t>(name.size(), kNameBytes);
  memcpy(NameOf(slot), name.data(), length);
  memset(NameOf(slot) + length, 0, kNameBytes - length);
}

void CopyRow(const TableBuffer& from, const TableBuffer& to, uint32_t slot) {
#define PROCMUSTER_COPY(name, type, unit, group, description) \
  if (to.name && from.name) to.name[slot] = from.name[slot];
  PROCMUSTER_COLUMNS(PROCMUSTER_COPY)
#undef PROCMUSTER_COPY
  memcpy(to.MissingOf(slot), from.MissingOf(slot), kMissingWords * sizeof(uint32_t));
  memcpy(to.NameOf(slot), from.NameOf(slot), kNameBytes);
}

void CopyTable(const TableBuffer& from, const TableBuffer& to) {
  const uint32_t rows = std::min(from.capacity, to.capacity);
  memcpy(to.header, from.header, header_count * sizeof(double));
  memcpy(to.slots, from.slots, rows * sizeof(uint32_t));
  for (uint32_t slot = 0; slot < rows; slot++) CopyRow(from, to, slot);
}

}  // namespace procmuster
