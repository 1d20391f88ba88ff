// Parsers of the per-process files under /proc: bytes in, struct out, no I/O and no allocation.
// Each returns false for text that the kernel would not write; *out is unspecified then.
#pragma once

#include <cstdint>
#include <string_view>

namespace procmuster {

// proc_pid_stat(5); the field's number stands behind each member.
struct StatFields {
  int32_t pid;            // 1
  std::string_view comm;  // 2, into the parsed text, without the parentheses
  char state;             // 3
  int32_t ppid;           // 4
  int32_t pgid;           // 5
  int32_t sid;            // 6
  int32_t tty_nr;         // 7
  int32_t tpgid;          // 8
  uint32_t flags;         // 9
  uint64_t minor_faults;  // 10
  uint64_t major_faults;  // 12
  uint64_t user_ticks;    // 14
  uint64_t system_ticks;  // 15
  int32_t priority;       // 18
  int32_t nice;           // 19
  int32_t threads;        // 20
  uint64_t start_ticks;   // 22
  uint64_t vsz_bytes;     // 23
  uint64_t rss_pages;     // 24, approximate: statm is exact
  uint64_t start_stack;   // 28, 0 without permission to trace the process
  int32_t processor;      // 39
  int32_t rt_priority;    // 40
  int32_t sched_policy;   // 41
};

// proc_pid_statm(5), in pages.
struct StatmFields {
  uint64_t size;
  uint64_t resident;
  uint64_t shared;
  uint64_t text;
  uint64_t data;
};

// proc_pid_status(5). Memory is absent for kernel threads and zombies.
struct StatusFields {
  bool has_memory;
  uint64_t rss_anon_kb, rss_file_kb, rss_shmem_kb, swap_kb, peak_rss_kb, locked_kb;
  bool has_switches;
  uint64_t voluntary_switches, involuntary_switches;
  uint32_t uid[4];  // real, effective, saved, filesystem
  uint32_t gid[4];
};

// proc_pid_io(5)
struct IoFields {
  uint64_t rchar, wchar, read_bytes, write_bytes;
};

bool ParseStat(std::string_view text, StatFields* out);
bool ParseStatm(std::string_view text, StatmFields* out);
bool ParseStatus(std::string_view text, StatusFields* out);
bool ParseIo(std::string_view text, IoFields* out);
// proc_pid_oom_score_adj(5)
bool ParseOomScoreAdj(std::string_view text, int32_t* out);

// MemTotal of /proc/meminfo in bytes, 0 if it is not there.
uint64_t ParseMemTotal(std::string_view text);

}  // namespace procmuster
