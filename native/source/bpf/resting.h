// Of a process that has not run since the walk before, most is as it was then.
#pragma once

#include "source/bpf/rows.h"
#include "source/bpf/task_structs.h"

// What cannot change of a process that does not run, as of its last whole reading. By the low bits of the
// pid: of two processes in one place, each is read whole whenever its turn comes. The sizes of a memory that
// is shared with another process, as after vfork, can be up to 15 walks old; what is resident never is.
struct known {
  __u64 start_ns, ran_ns, mm;
  __u32 pid, sequence;
  __u32 uses_left;  // until it is read whole whatever happens
  __u32 exit_state, uid, exec_id;
  __u64 pidfs_inode;
  __u64 cpu_ns, utime_ns, stime_ns, minor_faults, major_faults, prev_utime_ns, prev_stime_ns;
  __u64 vsz_pages, data_pages, stack_pages, code_start, code_end;
  __u64 comm[2];
};
enum { kKnownPlaces = 1 << 16, kKnownUses = 8 };
struct {
  MAP_UINT(type, BPF_MAP_TYPE_ARRAY);
  MAP_UINT(max_entries, kKnownPlaces);
  MAP_TYPE(key, __u32);
  MAP_TYPE(value, struct known);
} knowns SEC(".maps");

static __always_inline void remember(struct known* known, const struct process_row* row, __u64 ran_ns,
                                     __u64 mm, unsigned int sequence) {
  known->start_ns = row->start_ns;
  known->ran_ns = ran_ns;
  known->mm = mm;
  known->pid = (__u32)row->pid;
  known->sequence = sequence;
  known->uses_left = kKnownUses + (known->pid & (kKnownUses - 1));  // not all in the same walk
  known->exit_state = row->exit_state;
  known->uid = row->uid[1];
  known->exec_id = row->exec_id;
  known->pidfs_inode = row->pidfs_inode;
  known->cpu_ns = row->cpu_ns;
  known->utime_ns = row->utime_ns;
  known->stime_ns = row->stime_ns;
  known->minor_faults = row->minor_faults;
  known->major_faults = row->major_faults;
  known->prev_utime_ns = row->prev_utime_ns;
  known->prev_stime_ns = row->prev_stime_ns;
  known->vsz_pages = row->vsz_pages;
  known->data_pages = row->data_pages;
  known->stack_pages = row->stack_pages;
  known->code_start = row->code_start;
  known->code_end = row->code_end;
  known->comm[0] = ((const __u64*)row->comm)[0];
  known->comm[1] = ((const __u64*)row->comm)[1];
}

static __always_inline void recall(struct process_row* row, const struct known* known) {
  row->start_ns = known->start_ns;
  row->exit_state = known->exit_state;
  row->uid[1] = known->uid;
  row->exec_id = known->exec_id;
  row->pidfs_inode = known->pidfs_inode;
  row->cpu_ns = known->cpu_ns;
  row->utime_ns = known->utime_ns;
  row->stime_ns = known->stime_ns;
  row->minor_faults = known->minor_faults;
  row->major_faults = known->major_faults;
  row->prev_utime_ns = known->prev_utime_ns;
  row->prev_stime_ns = known->prev_stime_ns;
  row->vsz_pages = known->vsz_pages;
  row->data_pages = known->data_pages;
  row->stack_pages = known->stack_pages;
  row->code_start = known->code_start;
  row->code_end = known->code_end;
  ((__u64*)row->comm)[0] = known->comm[0];
  ((__u64*)row->comm)[1] = known->comm[1];
}
