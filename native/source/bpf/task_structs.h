// What the walk reads of the kernel's structs, and how it follows their lists.
#pragma once

#include "bpf/program.h"

KERNEL_STRUCTS_BEGIN
struct list_head {
  struct list_head* next;
};
struct thread_info {
  __u32 cpu;
};
struct upid {
  int nr;
};
struct pid {
  __u64 ino;
  struct upid numbers[1];
};
struct uid_value {
  __u32 val;
};
struct cred {
  struct uid_value uid, gid, suid, sgid, euid, egid, fsuid, fsgid;
};
struct percpu_counter {
  __s64 count;
  __s32* counters;
};
struct mm_struct {
  unsigned long hiwater_rss, total_vm, locked_vm, data_vm, stack_vm, start_code, end_code;
  struct percpu_counter rss_stat[4];
};
struct task_io_accounting {
  __u64 rchar, wchar, read_bytes, write_bytes;
};
struct prev_cputime {
  __u64 utime, stime;
};
struct seqcount {
  unsigned int sequence;
};
struct seqcount_spinlock {
  struct seqcount seqcount;
};
struct tty_driver {
  int major, minor_start;
};
struct tty_struct {
  int index;
  struct tty_driver* driver;
  struct {
    struct pid* pgrp;
  } ctrl;
};
struct signal_struct {
  int nr_threads;
  struct list_head thread_head;
  struct pid* pids[4];
  struct tty_struct* tty;
  struct {
    struct seqcount_spinlock seqcount;
  } stats_lock;
  __u64 utime, stime, sum_sched_runtime;
  struct prev_cputime prev_cputime;
  unsigned long min_flt, maj_flt;
  struct task_io_accounting ioac;
  short oom_score_adj;
};
struct bpf_array {
  void* pptrs[1];
};
struct sched_entity {
  __u64 sum_exec_runtime;
};
struct sched_info {
  unsigned long long run_delay;
};
struct fdtable {
  unsigned int max_fds;
  unsigned long* open_fds;
};
struct files_struct {
  struct fdtable* fdt;
};
struct kernfs_node {
  __u64 id;
};
struct cgroup {
  struct kernfs_node* kn;
};
struct css_set {
  struct cgroup* dfl_cgrp;
};
struct task_struct {
  struct thread_info thread_info;
  unsigned int __state, flags;
  int prio, static_prio;
  unsigned int rt_priority;
  struct sched_entity se;
  unsigned int policy;
  struct sched_info sched_info;
  struct list_head tasks;
  struct mm_struct* mm;
  int exit_state, pid, tgid;
  struct task_struct *real_parent, *group_leader;
  struct pid* thread_pid;
  struct list_head thread_node;
  __u64 utime, stime;
  unsigned long nvcsw, nivcsw;
  __u64 start_boottime;
  unsigned long min_flt, maj_flt;
  const struct cred* real_cred;
  char comm[16];
  struct files_struct* files;
  struct signal_struct* signal;
  __u64 self_exec_id;
  struct task_io_accounting ioac;
  struct css_set* cgroups;
};
KERNEL_STRUCTS_END

#define OFFSET_OF(type, member) __builtin_preserve_field_info(((type*)0)->member, 0)
#define TASK_OF(node, member) ((__u64)(node)-OFFSET_OF(struct task_struct, member))
// Again from memory, whatever the compiler knows.
#define READ_ONCE(place) (*(volatile typeof(place)*)&(place))
