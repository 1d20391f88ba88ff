// What the kernel program hands over through its ring buffer: plain C, included by the program
// (lifecycle.bpf.c) and by the reader.
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

// Types of events, as in src/events/decode.ts; the bits of lifecycle_state.wanted are 1 << type.
enum {
  kEventFork = 1,
  kEventExec = 2,
  kEventExit = 3,
  kEventSignal = 4,
};

struct lifecycle_sender {
  __s32 pid;  // 0: the kernel
  char name[16];
};

struct lifecycle_event {
  __u64 at_ns;     // CLOCK_BOOTTIME
  __u64 start_ns;  // task_struct.start_boottime
  __u64 pidfs_inode;
  __u64 lost;  // how many were lost before this one, in all
  __u32 type;
  __s32 pid, ppid;
  char name[16];
  __u32 unused;
};

struct lifecycle_signal {
  struct lifecycle_event event;
  struct lifecycle_sender sender;
  __s32 signal;
};

#define PROCMUSTER_UNCOUNTED (~0ull)

struct lifecycle_exit {
  struct lifecycle_event event;
  struct lifecycle_sender sender;
  __u32 status;  // as wait(2) tells it
  __u32 oom_killed;
  __u32 unused;
  __u64 cpu_ns;
  __u64 peak_rss_pages;
  __u64 read_bytes, write_bytes;  // PROCMUSTER_UNCOUNTED: by a kernel that does not account for I/O
};

struct lifecycle_state {
  __u64 lost;  // events that found no room
  // How far the scheduler's clock was ahead of CLOCK_MONOTONIC when that one showed compared_ns.
  __s64 clock_ahead_ns;
  __u64 compared_ns;
  __u32 wanted;  // bits 1 << kEvent...; set before the programs are attached
  __u32 unused;
};
