#include "source/procfs/row.h"

#include <unistd.h>

#include <initializer_list>
#include <string_view>

#include "table/join.h"

namespace procmuster {
namespace {

const double kTickNs = 1e9 / static_cast<double>(sysconf(_SC_CLK_TCK));
const double kPageBytes = static_cast<double>(sysconf(_SC_PAGESIZE));
constexpr double kKiB = 1024;

void SetAllMissing(const TableBuffer& table, uint32_t slot, std::initializer_list<Column> columns) {
  for (Column column : columns) SetMissing(table, slot, column);
}

}  // namespace

void StoreStat(const TableBuffer& table, uint32_t slot, const StatFields& stat) {
  table.StoreName(slot, stat.comm);
  table.ppid[slot] = stat.ppid;
  table.pgid[slot] = stat.pgid;
  table.sid[slot] = stat.sid;
  table.ttyNr[slot] = stat.tty_nr;
  table.tpgid[slot] = stat.tpgid;
  table.threads[slot] = stat.threads;
  table.nice[slot] = stat.nice;
  table.priority[slot] = stat.priority;
  table.rtPriority[slot] = stat.rt_priority;
  table.schedPolicy[slot] = stat.sched_policy;
  table.processor[slot] = stat.processor;
  table.flags[slot] = stat.flags;
  table.state[slot] = static_cast<uint8_t>(stat.state);
  table.startTicks[slot] = static_cast<double>(stat.start_ticks);
  table.userTimeNs[slot] = static_cast<double>(stat.user_ticks) * kTickNs;
  table.systemTimeNs[slot] = static_cast<double>(stat.system_ticks) * kTickNs;
  table.cpuTimeNs[slot] = table.userTimeNs[slot] + table.systemTimeNs[slot];
  table.vszBytes[slot] = static_cast<double>(stat.vsz_bytes);
  table.minorFaults[slot] = static_cast<double>(stat.minor_faults);
  table.majorFaults[slot] = static_cast<double>(stat.major_faults);
}

void StoreStatm(const TableBuffer& table, uint32_t slot, const StatmFields* statm) {
  if (statm == nullptr) {
    return SetAllMissing(table, slot, {col_rssBytes, col_sharedBytes, col_textBytes, col_dataBytes});
  }
  table.rssBytes[slot] = static_cast<double>(statm->resident) * kPageBytes;
  table.sharedBytes[slot] = static_cast<double>(statm->shared) * kPageBytes;
  table.textBytes[slot] = static_cast<double>(statm->text) * kPageBytes;
  table.dataBytes[slot] = static_cast<double>(statm->data) * kPageBytes;
}

void StoreKernel(const TableBuffer& table, uint32_t slot, const uint32_t* open_files,
                 const int32_t* oom_score_adj) {
  SetAllMissing(table, slot, {col_cgroupId, col_runQueueWaitNs});
  if (open_files != nullptr) {
    table.openFiles[slot] = *open_files;
  } else {
    SetMissing(table, slot, col_openFiles);
  }
  if (oom_score_adj != nullptr) {
    table.oomScoreAdj[slot] = *oom_score_adj;
  } else {
    SetMissing(table, slot, col_oomScoreAdj);
  }
}

void StoreIo(const TableBuffer& table, uint32_t slot, const IoFields* io) {
  if (io == nullptr) {
    return SetAllMissing(table, slot, {col_readBytes, col_writeBytes, col_rchar, col_wchar});
  }
  table.readBytes[slot] = static_cast<double>(io->read_bytes);
  table.writeBytes[slot] = static_cast<double>(io->write_bytes);
  table.rchar[slot] = static_cast<double>(io->rchar);
  table.wchar[slot] = static_cast<double>(io->wchar);
}

void StoreStatus(const TableBuffer& table, uint32_t slot, const StatusFields* status) {
  if (status != nullptr && status->has_memory) {
    table.rssAnonBytes[slot] = static_cast<double>(status->rss_anon_kb) * kKiB;
    table.rssFileBytes[slot] = static_cast<double>(status->rss_file_kb) * kKiB;
    table.rssShmemBytes[slot] = static_cast<double>(status->rss_shmem_kb) * kKiB;
    table.swapBytes[slot] = static_cast<double>(status->swap_kb) * kKiB;
    table.peakRssBytes[slot] = static_cast<double>(status->peak_rss_kb) * kKiB;
    table.lockedBytes[slot] = static_cast<double>(status->locked_kb) * kKiB;
  } else {
    SetAllMissing(table, slot,
                  {col_rssAnonBytes, col_rssFileBytes, col_rssShmemBytes, col_swapBytes, col_peakRssBytes,
                   col_lockedBytes});
  }
  if (status != nullptr && status->has_switches) {
    table.voluntarySwitches[slot] = static_cast<double>(status->voluntary_switches);
    table.involuntarySwitches[slot] = static_cast<double>(status->involuntary_switches);
  } else {
    SetAllMissing(table, slot, {col_voluntarySwitches, col_involuntarySwitches});
  }
  if (status != nullptr) {
    table.realUid[slot] = status->uid[0];
    table.effectiveUid[slot] = table.uid[slot] = status->uid[1];
    table.savedUid[slot] = status->uid[2];
    table.fsUid[slot] = status->uid[3];
    table.realGid[slot] = status->gid[0];
    table.effectiveGid[slot] = status->gid[1];
    table.savedGid[slot] = status->gid[2];
    table.fsGid[slot] = status->gid[3];
  } else {
    SetAllMissing(table, slot,
                  {col_realUid, col_effectiveUid, col_savedUid, col_fsUid, col_realGid, col_effectiveGid,
                   col_savedGid, col_fsGid});
  }
}

}  // namespace procmuster
