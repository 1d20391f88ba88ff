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
// What of the group kernel has a cheap answer below /proc.
void StoreKernel(const TableBuffer& table, uint32_t slot, const uint32_t* open_files,
                 const int32_t* oom_score_adj);

}  // namespace procmuster
