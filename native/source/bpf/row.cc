#include "source/bpf/row.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <initializer_list>

#include "table/join.h"

namespace procmuster {
namespace {

const uint64_t kTickNs = 1000000000u / static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
const double kPageBytes = static_cast<double>(sysconf(_SC_PAGESIZE));
const uint64_t kPageMask = ~(static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) - 1);

constexpr int32_t kNiceZero = 120;           // DEFAULT_PRIO of linux/sched/prio.h
constexpr int32_t kRealTimeLimit = 100;      // MAX_RT_PRIO
enum { kFile, kAnonymous, kSwap, kShared };  // rss_pages

double Pages(__u64 pages) { return static_cast<double>(pages) * kPageBytes; }
// A counter whose remainders lie on other CPUs can be negative.
double Pages(__s64 pages) { return pages > 0 ? static_cast<double>(pages) * kPageBytes : 0; }

// As task_statm(): whole pages that hold a piece of it.
double TextBytes(const process_row& row) {
  const uint64_t end = (row.code_end + ~kPageMask) & kPageMask;
  return static_cast<double>(end - (row.code_start & kPageMask));
}

void StoreMemory(const TableBuffer& table, uint32_t slot, const process_row& row) {
  const double shared = Pages(row.rss_pages[kFile]) + Pages(row.rss_pages[kShared]);
  table.rssBytes[slot] = shared + Pages(row.rss_pages[kAnonymous]);
  table.sharedBytes[slot] = shared;
  table.vszBytes[slot] = Pages(row.vsz_pages);
  table.dataBytes[slot] = Pages(row.data_pages + row.stack_pages);
  table.textBytes[slot] = row.has_mm ? TextBytes(row) : 0;
}

void StoreIo(const TableBuffer& table, uint32_t slot, const process_row& row) {
  table.rchar[slot] = static_cast<double>(row.rchar);
  table.wchar[slot] = static_cast<double>(row.wchar);
  table.readBytes[slot] = static_cast<double>(row.read_bytes);
  table.writeBytes[slot] = static_cast<double>(row.write_bytes);
}

void StoreStatus(const TableBuffer& table, uint32_t slot, const process_row& row) {
  if (row.has_mm) {
    table.rssAnonBytes[slot] = Pages(row.rss_pages[kAnonymous]);
    table.rssFileBytes[slot] = Pages(row.rss_pages[kFile]);
    table.rssShmemBytes[slot] = Pages(row.rss_pages[kShared]);
    table.swapBytes[slot] = Pages(row.rss_pages[kSwap]);
    table.peakRssBytes[slot] = std::max(Pages(row.peak_rss_pages), table.rssBytes[slot]);
    table.lockedBytes[slot] = Pages(row.locked_pages);
  } else {
    for (Column column : {col_rssAnonBytes, col_rssFileBytes, col_rssShmemBytes, col_swapBytes,
                          col_peakRssBytes, col_lockedBytes}) {
      SetMissing(table, slot, column);
    }
  }
  table.voluntarySwitches[slot] = static_cast<double>(row.voluntary_switches);
  table.involuntarySwitches[slot] = static_cast<double>(row.involuntary_switches);
  table.realUid[slot] = row.uid[0];
  table.effectiveUid[slot] = row.uid[1];
  table.savedUid[slot] = row.uid[2];
  table.fsUid[slot] = row.uid[3];
  table.realGid[slot] = row.gid[0];
  table.effectiveGid[slot] = row.gid[1];
  table.savedGid[slot] = row.gid[2];
  table.fsGid[slot] = row.gid[3];
}

void StoreKernel(const TableBuffer& table, uint32_t slot, const process_row& row) {
  table.runQueueWaitNs[slot] = static_cast<double>(row.run_queue_wait_ns);
  table.oomScoreAdj[slot] = row.oom_score_adj;
  if (row.open_files != PROCMUSTER_UNKNOWN) {
    table.openFiles[slot] = row.open_files;
  } else {
    SetMissing(table, slot, col_openFiles);
  }
  if (row.cgroup_id != 0) {
    table.cgroupId[slot] = static_cast<double>(row.cgroup_id);
  } else {
    SetMissing(table, slot, col_cgroupId);
  }
}

}  // namespace

void StoreProcessRow(const TableBuffer& table, uint32_t slot, const process_row& row, ShownCpuTime* shown) {
  table.ppid[slot] = row.ppid;
  table.pgid[slot] = row.pgid;
  table.sid[slot] = row.sid;
  table.ttyNr[slot] = row.tty_nr;
  table.tpgid[slot] = row.tpgid;
  table.threads[slot] = row.threads;
  table.nice[slot] = row.static_prio - kNiceZero;
  table.priority[slot] = row.prio - kRealTimeLimit;
  table.rtPriority[slot] = row.rt_priority;
  table.schedPolicy[slot] = row.policy;
  table.processor[slot] = row.cpu;
  table.flags[slot] = row.flags;
  table.uid[slot] = row.uid[1];
  table.state[slot] = static_cast<uint8_t>(StateLetter(row.state, row.exit_state));
  table.startTicks[slot] = static_cast<double>(StartTicks(row.start_ns));
  if (row.pidfs_inode != 0) {
    table.pidfsInode[slot] = static_cast<double>(row.pidfs_inode);
  } else {
    SetMissing(table, slot, col_pidfsInode);
  }
  *shown = AdjustCpuTime(row, *shown);
  // A thread that ended under the walk's eyes can be missing from a sum: not even then does it go back.
  table.cpuTimeNs[slot] = static_cast<double>(std::max<uint64_t>(row.cpu_ns, shown->sum()));
  table.userTimeNs[slot] = static_cast<double>(shown->user_ns);
  table.systemTimeNs[slot] = static_cast<double>(shown->system_ns);
  table.minorFaults[slot] = static_cast<double>(row.minor_faults);
  table.majorFaults[slot] = static_cast<double>(row.major_faults);
  table.readTimeNs[slot] = static_cast<double>(row.read_ns);
  StoreMemory(table, slot, row);
  if (table.readBytes) StoreIo(table, slot, row);
  if (table.rssAnonBytes) StoreStatus(table, slot, row);
  if (table.cgroupId) StoreKernel(table, slot, row);
}

// task_index_to_char() and __task_state_index() of linux/sched.h.
char StateLetter(uint32_t state, uint32_t exit_state) {
  constexpr uint32_t kReported = 0x7f, kUninterruptible = 0x2, kNoLoad = 0x400;
  constexpr uint32_t kIdle = kUninterruptible | kNoLoad;
  constexpr uint32_t kRealTimeLockWait = 0x1000, kFrozen = 0x8000;
  constexpr uint32_t kReportedIdle = 0x80;
  uint32_t shown = (state | exit_state) & kReported;
  if ((state & kIdle) == kIdle) shown = kReportedIdle;
  if (state & (kRealTimeLockWait | kFrozen)) shown = kUninterruptible;
  return "RSDTtXZPI"[std::bit_width(shown)];
}

ShownCpuTime AdjustCpuTime(const process_row& row, ShownCpuTime shown) {
  // Whoever reads /proc makes the kernel remember what it showed; both go on from what was shown last.
  const ShownCpuTime kernels = {row.prev_utime_ns, row.prev_stime_ns};
  if (kernels.sum() >= shown.sum()) shown = kernels;
  const uint64_t total = row.cpu_ns;
  if (shown.sum() >= total) return shown;
  const uint64_t ticks = row.stime_ns + row.utime_ns;
  uint64_t system = 0;  // without any tick it was all in user mode
  if (ticks != 0) {
    __extension__ using Wide = unsigned __int128;
    system = static_cast<uint64_t>(static_cast<Wide>(row.stime_ns) * total / ticks);
  }
  system = std::max(system, shown.system_ns);
  uint64_t user = total - system;
  if (user < shown.user_ns) {
    user = shown.user_ns;
    system = total - user;
  }
  return {user, system};
}

uint64_t StartTicks(uint64_t start_ns) { return start_ns / kTickNs; }

}  // namespace procmuster
