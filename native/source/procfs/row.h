// Parsed files of one process into the cells of its row. Null stands for a file that could not be read: its
// cells are marked missing.
#pragma once

#include <cstdint>

#include "source/procfs/parse.h"
#include "table/buffer.h"

namespace procmuster {

void StoreStat(const TableBuffer& table, uint32_t slot, const StatFields& stat);
void StoreStatm(const TableBuffer& table, uint32_t slot, const StatmFields* statm);
void StoreIo(const TableBuffer& table, uint32_t slot, const IoFields* io);
void StoreStatus(const TableBuffer& table, uint32_t slot, const StatusFields* status);

}  // namespace procmuster
