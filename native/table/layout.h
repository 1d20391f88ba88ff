// The columns of the process table: the single source of truth. `npm run build:columns` writes
// src/table/columns.ts from it, and a test keeps the two equal.
#pragma once

#include <cstddef>
#include <cstdint>

namespace procmuster {

// X(name, type, unit, group, description)
// `name` is public; units are part of it. Missing cells are marked in the table's bitmap by the column's id.
#define PROCMUSTER_COLUMNS(X)                                                                                \
  X(pid, Int32, "", table, "Process id. proc_pid_stat(5) field 1.")                                          \
  X(ppid, Int32, "", table, "Parent's process id. proc_pid_stat(5) field 4.")                                \
  X(pgid, Int32, "", table, "Process group id. proc_pid_stat(5) field 5.")                                   \
  X(sid, Int32, "", table, "Session id. proc_pid_stat(5) field 6.")                                          \
  X(ttyNr, Int32, "", table, "Controlling terminal's device number, 0 for none. proc_pid_stat(5) field 7.")  \
  X(tpgid, Int32, "", table,                                                                                 \
    "Foreground process group of the terminal, -1 for none. proc_pid_stat(5) field 8.")                      \
  X(threads, Int32, "", table, "Number of threads. proc_pid_stat(5) field 20.")                              \
  X(nice, Int32, "", table, "Nice value, -20 to 19. proc_pid_stat(5) field 19.")                             \
  X(priority, Int32, "", table, "Kernel priority. proc_pid_stat(5) field 18.")                               \
  X(rtPriority, Int32, "", table, "Real-time priority, 0 for none. proc_pid_stat(5) field 40.")              \
  X(schedPolicy, Int32, "", table, "Scheduling policy, SCHED_* of sched(7). proc_pid_stat(5) field 41.")     \
  X(processor, Int32, "", table, "CPU last run on. proc_pid_stat(5) field 39.")                              \
  X(flags, Uint32, "", table, "Kernel flags, PF_* of linux/sched.h. proc_pid_stat(5) field 9.")              \
  X(uid, Uint32, "", table,                                                                                  \
    "Effective user id. From procfs the owner of /proc/<pid>, read at birth, after an exec or a change of "  \
    "flags, and every eighth sample; from the bpf source that of this sample.")                              \
  X(generation, Uint32, "", table, "How often the slot was given to a process; part of a slot's identity.")  \
  X(state, Uint8, "", table,                                                                                 \
    "State letter as a character code (R S D T t Z X I). proc_pid_stat(5) field 3.")                         \
  X(startTicks, Float64, "ticks", table,                                                                     \
    "Start in clock ticks since boot; with the pid the identity of a settled row. proc_pid_stat(5) field "   \
    "22.")                                                                                                   \
  X(pidfsInode, Float64, "", table,                                                                          \
    "Inode of the process's pidfd, unique until reboot (Linux 6.9 and later).")                              \
  X(cpuTimeNs, Float64, "ns", table,                                                                         \
    "CPU time of all threads, also of those that ended: to the nanosecond from the bpf source, the sum of "  \
    "userTimeNs and systemTimeNs, in clock ticks, from procfs.")                                             \
  X(userTimeNs, Float64, "ns", table, "CPU time in user mode. proc_pid_stat(5) field 14.")                   \
  X(systemTimeNs, Float64, "ns", table, "CPU time in kernel mode. proc_pid_stat(5) field 15.")               \
  X(cpuPercent, Float64, "%", table,                                                                         \
    "Rate of cpuTimeNs: CPU use between this sample and the one before, 100 = one core. Missing in a row's " \
    "first sample.")                                                                                         \
  X(memoryPercent, Float64, "%", table, "rssBytes in percent of MemTotal.")                                  \
  X(rssBytes, Float64, "bytes", table,                                                                       \
    "Resident set size. proc_pid_statm(5) field 2. The bpf source takes the kernel's approximate counters, " \
    "off by at most 3 counters x N CPUs x max(32, 2 N) pages: 768 KiB with 2 CPUs, 96 MiB with 64 (pages "   \
    "of 4 KiB), and so are memoryPercent, sharedBytes and the resident and swap columns of the group "       \
    "status; the group exactRss makes them exact, as procfs is.")                                            \
  X(vszBytes, Float64, "bytes", table, "Virtual memory size. proc_pid_stat(5) field 23.")                    \
  X(sharedBytes, Float64, "bytes", table, "Resident file and shared pages. proc_pid_statm(5) field 3.")      \
  X(textBytes, Float64, "bytes", table, "Code. proc_pid_statm(5) field 4.")                                  \
  X(dataBytes, Float64, "bytes", table, "Data and stack. proc_pid_statm(5) field 6.")                        \
  X(minorFaults, Float64, "", table, "Page faults without I/O. proc_pid_stat(5) field 10.")                  \
  X(majorFaults, Float64, "", table, "Page faults with I/O. proc_pid_stat(5) field 12.")                     \
  X(minorFaultsPerSecond, Float64, "1/s", table, "Rate of minorFaults since the sample before.")             \
  X(majorFaultsPerSecond, Float64, "1/s", table, "Rate of majorFaults since the sample before.")             \
  X(readTimeNs, Float64, "ns", table, "When this row was read, CLOCK_MONOTONIC. Rates are per row.")         \
  X(readBytes, Float64, "bytes", io, "Bytes fetched from storage. proc_pid_io(5) read_bytes.")               \
  X(writeBytes, Float64, "bytes", io, "Bytes sent to storage. proc_pid_io(5) write_bytes.")                  \
  X(rchar, Float64, "bytes", io, "Bytes asked for by read(2) and alike. proc_pid_io(5) rchar.")              \
  X(wchar, Float64, "bytes", io, "Bytes given to write(2) and alike. proc_pid_io(5) wchar.")                 \
  X(readBytesPerSecond, Float64, "bytes/s", io, "Rate of readBytes since the sample before.")                \
  X(writeBytesPerSecond, Float64, "bytes/s", io, "Rate of writeBytes since the sample before.")              \
  X(rcharPerSecond, Float64, "bytes/s", io, "Rate of rchar since the sample before.")                        \
  X(wcharPerSecond, Float64, "bytes/s", io, "Rate of wchar since the sample before.")                        \
  X(rssAnonBytes, Float64, "bytes", status, "Resident anonymous memory. proc_pid_status(5) RssAnon.")        \
  X(rssFileBytes, Float64, "bytes", status, "Resident file mappings. proc_pid_status(5) RssFile.")           \
  X(rssShmemBytes, Float64, "bytes", status, "Resident shared memory. proc_pid_status(5) RssShmem.")         \
  X(swapBytes, Float64, "bytes", status, "Swapped-out anonymous memory. proc_pid_status(5) VmSwap.")         \
  X(peakRssBytes, Float64, "bytes", status, "Peak resident set size. proc_pid_status(5) VmHWM.")             \
  X(lockedBytes, Float64, "bytes", status, "Locked memory. proc_pid_status(5) VmLck.")                       \
  X(voluntarySwitches, Float64, "", status,                                                                  \
    "Voluntary context switches of the main thread. proc_pid_status(5) voluntary_ctxt_switches.")            \
  X(involuntarySwitches, Float64, "", status,                                                                \
    "Involuntary context switches of the main thread. proc_pid_status(5) nonvoluntary_ctxt_switches.")       \
  X(realUid, Uint32, "", status, "Real user id. proc_pid_status(5) Uid.")                                    \
  X(effectiveUid, Uint32, "", status, "Effective user id. proc_pid_status(5) Uid.")                          \
  X(savedUid, Uint32, "", status, "Saved user id. proc_pid_status(5) Uid.")                                  \
  X(fsUid, Uint32, "", status, "Filesystem user id. proc_pid_status(5) Uid.")                                \
  X(realGid, Uint32, "", status, "Real group id. proc_pid_status(5) Gid.")                                   \
  X(effectiveGid, Uint32, "", status, "Effective group id. proc_pid_status(5) Gid.")                         \
  X(savedGid, Uint32, "", status, "Saved group id. proc_pid_status(5) Gid.")                                 \
  X(fsGid, Uint32, "", status, "Filesystem group id. proc_pid_status(5) Gid.")                               \
  X(cgroupId, Float64, "", kernel,                                                                           \
    "Inode of its control group's directory in the v2 hierarchy. Missing from procfs.")                      \
  X(runQueueWaitNs, Float64, "ns", kernel,                                                                   \
    "Time that its live threads were ready and waited for a CPU. Missing from procfs, and without "          \
    "CONFIG_SCHED_INFO.")                                                                                    \
  X(openFiles, Uint32, "", kernel,                                                                           \
    "Number of open descriptors. Missing from procfs before Linux 6.2, from the bpf source for a process "   \
    "whose table has room for more than 1,048,576.")                                                         \
  X(oomScoreAdj, Int32, "", kernel, "OOM score adjustment, -1000 to 1000. proc_pid_oom_score_adj(5).")

enum class ColumnType : uint8_t { Int32, Uint32, Uint8, Float64 };
enum class ColumnGroup : uint8_t { table, io, status, kernel };

enum Column : uint32_t {
#define PROCMUSTER_ENUM(name, type, unit, group, description) col_##name,
  PROCMUSTER_COLUMNS(PROCMUSTER_ENUM)
#undef PROCMUSTER_ENUM
      column_count
};

// Fixed-size regions that a table buffer has besides its columns.
constexpr uint32_t kNameBytes = 64;    // kernel worker names reach 63 bytes; zero-padded
constexpr uint32_t kMissingWords = 3;  // 32 columns a word, per slot
static_assert(column_count <= kMissingWords * 32);

// Header of a table buffer: Float64 cells.
#define PROCMUSTER_HEADER(X) \
  X(sequence)                \
  X(size)                    \
  X(bornCount)               \
  X(goneCount)               \
  X(execedCount)             \
  X(sampledAtMs)             \
  X(elapsedMs)               \
  X(sampledTicks)            \
  X(scanWallNs)              \
  X(scanCpuNs)               \
  X(memTotalBytes)           \
  X(vanished)                \
  X(openDescriptors)

enum HeaderCell : uint32_t {
#define PROCMUSTER_ENUM(name) header_##name,
  PROCMUSTER_HEADER(PROCMUSTER_ENUM)
#undef PROCMUSTER_ENUM
      header_count
};

}  // namespace procmuster
