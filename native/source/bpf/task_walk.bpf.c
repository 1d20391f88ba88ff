// The kernel writes one row per process into a mapped array: no file is opened, no text made or parsed.
#include "bpf/program.h"
#include "source/bpf/rows.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

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
struct tty_control {
  struct pid* pgrp;
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

struct bpf_iter_task {
  __u64 opaque[3];
};
enum { kIterateProcesses = 0 };  // BPF_TASK_ITER_ALL_PROCS
extern int bpf_iter_task_new(struct bpf_iter_task* iterator, struct task_struct* task,
                             unsigned int flags) __ksym;
extern struct task_struct* bpf_iter_task_next(struct bpf_iter_task* iterator) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task* iterator) __ksym;
extern struct task_struct* bpf_task_from_pid(__s32 pid) __ksym;
extern void bpf_task_release(struct task_struct* task) __ksym;

struct {
  MAP_UINT(type, BPF_MAP_TYPE_ARRAY);
  MAP_UINT(map_flags, BPF_F_MMAPABLE);
  MAP_UINT(max_entries, 1);
  MAP_TYPE(key, __u32);
  MAP_TYPE(value, struct process_slice);
} slices SEC(".maps");

enum { kPidtypeTgid = 1, kPidtypePgid = 2, kPidtypeSid = 3 };
enum { kKernelThread = 0x00200000 };  // PF_KTHREAD
enum { kRetries = 8, kRowsPerClockRead = 64, kUnbounded = 1 << 23 };

// A task is carried from one round to the next as a number: the verifier then sees the same state each time.
struct walk {
  struct process_slice* slice;
  __u64 task;
  __u64 now_ns, end_ns;
  __u32 groups, count, visited, retries, more;
};

#define OFFSET_OF(type, member) __builtin_preserve_field_info(((type*)0)->member, 0)
#define TASK_OF(node, member) ((__u64)(node)-OFFSET_OF(struct task_struct, member))
// Again from memory, whatever the compiler knows.
#define READ_ONCE(place) (*(volatile typeof(place)*)&(place))

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

// What the threads that have ended left behind.
static __always_inline void start_sums(struct process_row* row, struct signal_struct* signal, __u32 groups) {
  row->cpu_ns = signal->sum_sched_runtime;
  row->utime_ns = signal->utime;
  row->stime_ns = signal->stime;
  row->minor_faults = signal->min_flt;
  row->major_faults = signal->maj_flt;
  row->prev_utime_ns = signal->prev_cputime.utime;
  row->prev_stime_ns = signal->prev_cputime.stime;
  if (groups & kWalkIo) {
    row->rchar = FIELD_EXISTS(signal->ioac.rchar) ? signal->ioac.rchar : 0;
    row->wchar = FIELD_EXISTS(signal->ioac.rchar) ? signal->ioac.wchar : 0;
    row->read_bytes = FIELD_EXISTS(signal->ioac.read_bytes) ? signal->ioac.read_bytes : 0;
    row->write_bytes = FIELD_EXISTS(signal->ioac.read_bytes) ? signal->ioac.write_bytes : 0;
  }
  row->run_queue_wait_ns = 0;
}

static __always_inline void fill_terminal(struct process_row* row, struct signal_struct* signal) {
  struct tty_struct* tty = signal->tty;
  row->tty_nr = 0;
  row->tpgid = -1;
  if (!tty) return;
  struct tty_driver* driver = tty->driver;
  struct pid* foreground = tty->ctrl.pgrp;
  __u32 minor = (__u32)(driver->minor_start + tty->index);
  __u32 device = (minor & 0xff) | ((__u32)driver->major << 8) | ((minor & 0xfff00) << 12);
  int group = foreground ? foreground->numbers[0].nr : 0;
  if (READ_ONCE(signal->tty) != tty) return;  // hung up meanwhile, and perhaps freed
  row->tty_nr = (__s32)device;
  row->tpgid = group;
}

static __always_inline void fill_memory(struct process_row* row, struct mm_struct* mm, __u32 groups) {
  row->vsz_pages = mm->total_vm;
  row->data_pages = mm->data_vm;
  row->stack_pages = mm->stack_vm;
  row->code_start = mm->start_code;
  row->code_end = mm->end_code;
  row->rss_pages[0] = mm->rss_stat[0].count;
  row->rss_pages[1] = mm->rss_stat[1].count;
  row->rss_pages[2] = mm->rss_stat[2].count;
  row->rss_pages[3] = mm->rss_stat[3].count;
  if (groups & kWalkStatus) {
    row->peak_rss_pages = mm->hiwater_rss;
    row->locked_pages = mm->locked_vm;
  }
}

static __always_inline void fill_no_memory(struct process_row* row) {
  row->vsz_pages = row->data_pages = row->stack_pages = row->code_start = row->code_end = 0;
  for (int i = 0; i < 4; i++) row->rss_pages[i] = 0;
  row->peak_rss_pages = row->locked_pages = 0;
}

static __always_inline void fill_credentials(struct process_row* row, const struct cred* cred, __u32 groups) {
  row->uid[1] = cred->euid.val;
  if (!(groups & kWalkStatus)) return;
  row->uid[0] = cred->uid.val;
  row->uid[2] = cred->suid.val;
  row->uid[3] = cred->fsuid.val;
  row->gid[0] = cred->gid.val;
  row->gid[1] = cred->egid.val;
  row->gid[2] = cred->sgid.val;
  row->gid[3] = cred->fsgid.val;
}

// 0: the row is filled. 1: something changed under our eyes, look again. 2: the process is gone.
static __always_inline int fill(struct process_row* row, struct task_struct* task, __u32 groups) {
  struct signal_struct* signal = task->signal;
  unsigned int sequence = READ_ONCE(signal->stats_lock.seqcount.seqcount.sequence);
  struct pid *tgid = signal->pids[kPidtypeTgid], *group = signal->pids[kPidtypePgid];
  struct pid* session = signal->pids[kPidtypeSid];
  if (!tgid) return 2;  // reaped: also /proc has it no more
  struct mm_struct* mm = task->mm;

  row->pid = task->tgid;
  row->start_ns = task->start_boottime;
  row->pidfs_inode = FIELD_EXISTS(tgid->ino) ? tgid->ino : 0;
  row->ppid = task->real_parent->tgid;
  row->pgid = group ? group->numbers[0].nr : 0;
  row->sid = session ? session->numbers[0].nr : 0;
  row->flags = task->flags;
  row->state = task->__state;
  row->exit_state = (__u32)task->exit_state;
  row->cpu = (__s32)task->thread_info.cpu;
  row->prio = task->prio;
  row->static_prio = task->static_prio;
  row->rt_priority = (__s32)task->rt_priority;
  row->policy = (__s32)task->policy;
  row->exec_id = (__u32)task->self_exec_id;
  bpf_probe_read_kernel(row->comm, sizeof(row->comm), task->comm);
  fill_credentials(row, task->real_cred, groups);
  row->threads = signal->nr_threads;
  row->oom_score_adj = signal->oom_score_adj;
  fill_terminal(row, signal);
  if (groups & kWalkStatus) {
    row->voluntary_switches = task->nvcsw;
    row->involuntary_switches = task->nivcsw;
  }

  // A kernel thread may have borrowed the memory of another process.
  row->has_mm = mm && !(row->flags & kKernelThread);
  if (row->has_mm)
    fill_memory(row, mm, groups);
  else
    fill_no_memory(row);

  start_sums(row, signal, groups);
  if (row->threads > 1) {
    struct threads threads = {.row = row, .node = (__u64)signal->thread_head.next, .groups = groups};
    threads.head = (__u64)signal + OFFSET_OF(struct signal_struct, thread_head);
    bpf_loop(kUnbounded, add_thread, &threads, 0);
  } else {
    add_task(row, task, groups);
  }
  // Memory that the process has given up, in an exec or at its end, may be another's by now; a thread that
  // ends goes from the list of threads into the sums.
  if (READ_ONCE(task->mm) != mm) return 1;
  return (sequence & 1) || READ_ONCE(signal->stats_lock.seqcount.seqcount.sequence) != sequence;
}

static long visit(__u32 index, struct walk* walk) {
  struct process_slice* slice = walk->slice;
  struct task_struct* task = KERNEL_CAST(struct task_struct, walk->task);
  if (task->pid == 0) {  // init_task: once round
    walk->more = 0;
    return 1;
  }
  __u32 next = walk->count;
  if (next >= PROCMUSTER_SLICE_ROWS) return 1;
  if (walk->visited++ % kRowsPerClockRead == 0) {
    walk->now_ns = bpf_ktime_get_ns();
    if (walk->now_ns >= walk->end_ns && next > 0) return 1;
  }
  struct process_row* row = &slice->rows[next];
  row->read_ns = walk->now_ns;
  // A thread that execs takes the place of its leader, which is led by it then.
  struct task_struct* leader = task;
  if (task->pid != task->tgid) leader = task->group_leader;
  int result = fill(row, leader, walk->groups);
  if (result == 1 && walk->retries++ < kRetries) return 0;
  walk->retries = 0;
  walk->task = TASK_OF(task->tasks.next, tasks);
  if (result != 2) walk->count = next + 1;
  return 0;
}

// The task behind the one that is asked for, or the first of all; 0 when the one asked for is no more.
static __always_inline __u64 first_task(struct process_slice* slice) {
  __u64 first = 0;
  if (slice->after_pid == 0) {
    // The kernel's iterator starts from init_task, whatever task it is given: no use for going on, but the
    // only way to the beginning that needs no symbol.
    struct bpf_iter_task iterator;
    bpf_iter_task_new(&iterator, NULL, kIterateProcesses);
    struct task_struct* task = bpf_iter_task_next(&iterator);
    if (task) first = TASK_OF(task->tasks.next, tasks);
    bpf_iter_task_destroy(&iterator);
    return first;
  }
  struct task_struct* task = bpf_task_from_pid(slice->after_pid);
  if (!task) return 0;
  // Not a recycled pid, nor a thread that is just taking its leader's place: it is not in the list yet.
  if (task->start_boottime == slice->after_start_ns && task->tgid == slice->after_pid &&
      task->group_leader == task)
    first = TASK_OF(task->tasks.next, tasks);
  bpf_task_release(task);
  return first;
}

SEC("syscall") int walk(void* context) {
  __u32 zero = 0;
  struct process_slice* slice = bpf_map_lookup_elem(&slices, &zero);
  if (!slice) return 1;
  struct walk walk = {.slice = slice, .groups = slice->groups, .more = 1};
  walk.now_ns = bpf_ktime_get_ns();
  walk.end_ns = walk.now_ns + slice->budget_ns;
  slice->count = 0;
  // What is reached in here is not freed before the end, and its list goes on.
  bpf_rcu_read_lock();
  walk.task = first_task(slice);
  if (walk.task) bpf_loop(kUnbounded, visit, &walk, 0);
  bpf_rcu_read_unlock();
  slice->lost = !walk.task;
  slice->count = walk.count;
  slice->more = walk.more;
  return 0;
}
