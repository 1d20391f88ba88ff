// What follows from two snapshots: rates, shares, births and deaths. Knows nothing of where rows come from.
#pragma once

#include <cstdint>

#include "table/buffer.h"

namespace procmuster {

// Fills the derived cells of a row: memoryPercent, and the rates against the row's values in `previous`;
// without a previous row (`has_previous` false) a rate is missing.
void DeriveRow(const TableBuffer& current, const TableBuffer& previous, uint32_t slot, bool has_previous,
               double mem_total_bytes);

// A cell that could not be read: NaN where the type has it, 0 elsewhere, and its mark.
void SetMissing(const TableBuffer& table, uint32_t slot, Column column);

}  // namespace procmuster
