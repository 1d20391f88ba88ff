// What counts for the whole process: its threads, and what those that have ended left behind.
#pragma once

#include "source/bpf/rows.h"
#include "source/bpf/task_structs.h"

enum { kUnbounded = 1 << 23 };

static __always_inline void add_task(struct process_row* row, struct task_struct* task, __u32 groups) {
  row->cpu_ns += task->se.sum_exec_runtime;
  row->utime_ns += task->utime;
  row->stime_ns += task->stime;
  row->minor_faults += task->min_flt;
  row->major_faults += task->maj_flt;
  if (groups & kWalkIo) {
    if (FIELD_EXISTS(task->ioac.rchar)) {
      row->rchar += task->ioac.rchar;
      row->wchar += task->ioac.wchar;
    }
    if (FIELD_EXISTS(task->ioac.read_bytes)) {
      row->read_bytes += task->ioac.read_bytes;
      row->write_bytes += task->ioac.write_bytes;
    }
  }
  if ((groups & kWalkKernel) && FIELD_EXISTS(task->sched_info.run_delay))
    row->run_queue_wait_ns += task->sched_info.run_delay;
}

struct threads {
  struct process_row* row;
  __u64 node, head;
  __u32 groups;
};

static long add_thread(__u32 index, struct threads* threads) {
  if (threads->node == threads->head) return 1;
  struct task_struct* task = KERNEL_CAST(struct task_struct, TASK_OF(threads->node, thread_node));
  add_task(threads->row, task, threads->groups);
  threads->node = (__u64)task->thread_node.next;
  return 0;
}

__noinline int add_threads(struct process_row* row, __u64 address, __u32 groups) {
  struct signal_struct* signal = KERNEL_CAST(struct signal_struct, address);
  if (!row) return 0;
  struct threads threads = {.row = row, .node = (__u64)signal->thread_head.next, .groups = groups};
  threads.head = address + OFFSET_OF(struct signal_struct, thread_head);
  bpf_loop(kUnbounded, add_thread, &threads, 0);
  return 0;
}

// What the threads that have ended left behind. As long as none has, and no child was waited for, the
// sequence number of these fields' lock is 0 and so are they, and three cache lines need not be fetched.
static __always_inline void start_sums(struct process_row* row, struct signal_struct* signal,
                                       unsigned int sequence, __u32 groups) {
  row->prev_utime_ns = signal->prev_cputime.utime;
  row->prev_stime_ns = signal->prev_cputime.stime;
  row->cpu_ns = row->utime_ns = row->stime_ns = row->minor_faults = row->major_faults = 0;
  if (groups & kWalkIo) row->rchar = row->wchar = row->read_bytes = row->write_bytes = 0;
  if (groups & kWalkKernel) row->run_queue_wait_ns = 0;
  if (sequence == 0) return;
  row->cpu_ns = signal->sum_sched_runtime;
  row->utime_ns = signal->utime;
  row->stime_ns = signal->stime;
  row->minor_faults = signal->min_flt;
  row->major_faults = signal->maj_flt;
  if (groups & kWalkIo) {
    if (FIELD_EXISTS(signal->ioac.rchar)) {
      row->rchar = signal->ioac.rchar;
      row->wchar = signal->ioac.wchar;
    }
    if (FIELD_EXISTS(signal->ioac.read_bytes)) {
      row->read_bytes = signal->ioac.read_bytes;
      row->write_bytes = signal->ioac.write_bytes;
    }
  }
}
