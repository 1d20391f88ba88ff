// What the kernel program hands over: plain C, included by the program (task_walk.bpf.c) and by the source
// that joins the rows into the table. All values are the kernel's own, unscaled.
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

// One run of the program fills one slice, which stays in the processor's cache until it is joined, and keeps
// a core for less than a millisecond.
#define PROCMUSTER_SLICE_ROWS 1024

// Groups of fields that cost more than the rest; bits of slice.groups.
enum {
  kWalkIo = 1,
  kWalkStatus = 2,
  kWalkKernel = 4,
  kWalkExact = 8,  // rss_pages with the per-CPU remainders
};

// Fields of a group that was not asked for hold old bytes.
struct process_row {
  // Four cache lines that are always written.
  __u64 start_ns;     // task_struct.start_boottime
  __u64 pidfs_inode;  // 0 before Linux 6.9
  __u64 read_ns;      // CLOCK_MONOTONIC, to some 20 us
  // Sums over the threads that live and those that have ended.
  __u64 cpu_ns;
  __u64 utime_ns, stime_ns;  // before cputime_adjust()
  __u64 minor_faults, major_faults;
  __u64 prev_utime_ns, prev_stime_ns;  // signal_struct.prev_cputime
  // All zero without a mm (kernel threads, zombies).
  __u64 vsz_pages, data_pages, stack_pages;
  __u64 code_start, code_end;  // addresses
  __s64 rss_pages[4];          // file, anonymous, swap entries, shared memory: approximate unless kWalkExact
  char comm[16];
  __s32 pid, ppid, pgid, sid;
  __s32 tty_nr, tpgid;
  __s32 threads;
  __s32 static_prio, prio, rt_priority, policy, cpu;
  __u32 flags;
  __u32 state, exit_state;  // task_struct.__state
  __u32 exec_id;            // self_exec_id: counts execs
  __s32 oom_score_adj;
  __u32 has_mm;
  __u32 uid[4];  // real, effective, saved, filesystem; the effective one always, the others with kWalkStatus

  // kWalkIo: sums over threads, as proc_pid_io(5)
  __u64 rchar, wchar, read_bytes, write_bytes;
  // kWalkStatus
  __u64 peak_rss_pages, locked_pages;
  __u64 voluntary_switches, involuntary_switches;  // of the main thread
  __u32 gid[4];                                    // real, effective, saved, filesystem
  // kWalkKernel
  __u64 cgroup_id;          // in the default (v2) hierarchy
  __u64 run_queue_wait_ns;  // sched_info.run_delay of the threads that live
  __u32 open_files;         // PROCMUSTER_UNKNOWN: too many to count
  __u32 unused[7];
};

#define PROCMUSTER_UNKNOWN 0xffffffffu

// kWalkExact needs the possible CPUs to be 0 to at most this less one.
#define PROCMUSTER_EXACT_CPUS 1024

struct process_slice {
  // Written by the reader before a run.
  __u32 groups;
  // Where to go on: behind this process, the last that was reported, or one before it. 0: at the beginning.
  __s32 after_pid;
  __u64 after_start_ns;
  __u64 budget_ns;  // ends the slice when this has passed
  __u32 cpus;       // for kWalkExact: how many are possible; for learn_cpu: which one
  // Written by the program.
  __u32 count;
  __u32 more;  // whether processes are left
  __u32 lost;  // the process to go on behind is no more: nothing was read
  __u32 unused[6];
  struct process_row rows[PROCMUSTER_SLICE_ROWS];
};
