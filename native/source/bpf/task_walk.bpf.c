// The kernel writes one row per process into a mapped array: no file is opened, no text made or parsed.
#include "bpf/program.h"
#include "source/bpf/resting.h"
#include "source/bpf/row_parts.h"
#include "source/bpf/rows.h"
#include "source/bpf/task_structs.h"
#include "source/bpf/thread_sums.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

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

// For learn_cpu: one per-CPU variable whose address is known.
struct {
  MAP_UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  MAP_UINT(max_entries, 1);
  MAP_TYPE(key, __u32);
  MAP_TYPE(value, __u64);
} per_cpu SEC(".maps");

enum { kPidtypeTgid = 1, kPidtypePgid = 2, kPidtypeSid = 3 };
enum { kKernelThread = 0x00200000 };  // PF_KTHREAD
enum { kRetries = 8, kRowsPerClockRead = 64, kManyThreads = 32 };

// A task is carried from one round to the next as a number: the verifier then sees the same state each time.
struct walk {
  struct process_slice* slice;
  struct scratch* scratch;
  __u64 task, next;
  __u64 now_ns, end_ns;
  __u32 groups, count, visited, retries, more, cpus;
};

static __always_inline void fill_memory(struct process_row* row, struct mm_struct* mm, __u32 groups) {
  row->vsz_pages = mm->total_vm;
  row->data_pages = mm->data_vm;
  row->stack_pages = mm->stack_vm;
  row->code_start = mm->start_code;
  row->code_end = mm->end_code;
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

static __always_inline void fill_resident(struct process_row* row, struct mm_struct* mm) {
  row->rss_pages[0] = mm->rss_stat[0].count;
  row->rss_pages[1] = mm->rss_stat[1].count;
  row->rss_pages[2] = mm->rss_stat[2].count;
  row->rss_pages[3] = mm->rss_stat[3].count;
}

// 0: the row is filled. 1: something changed under our eyes, look again. 2: the process is gone.
__noinline int fill(struct process_row* row, __u64 address, __u32 groups, __u32 cpus) {
  __u32 zero = 0;
  struct scratch* scratch = bpf_map_lookup_elem(&scratches, &zero);
  if (!row || !scratch) return 2;
  struct task_struct* task = KERNEL_CAST(struct task_struct, address);
  struct signal_struct* signal = task->signal;
  unsigned int sequence = READ_ONCE(signal->stats_lock.seqcount.seqcount.sequence);
  struct pid *tgid = signal->pids[kPidtypeTgid], *group = signal->pids[kPidtypePgid];
  struct pid* session = signal->pids[kPidtypeSid];
  if (!tgid) return 2;  // reaped: also /proc has it no more
  struct mm_struct* mm = task->mm;
  // First of all: whatever else is read before the process runs again goes with it.
  __u64 ran_ns = READ_ONCE(task->se.sum_exec_runtime);

  row->pid = task->tgid;
  row->state = READ_ONCE(task->__state);
  row->threads = signal->nr_threads;
  // What others can change, and where it ran.
  row->ppid = task->real_parent->tgid;
  row->pgid = group ? group->numbers[0].nr : 0;
  row->sid = session ? session->numbers[0].nr : 0;
  row->flags = task->flags;
  row->cpu = (__s32)task->thread_info.cpu;
  row->prio = task->prio;
  row->static_prio = task->static_prio;
  row->rt_priority = (__s32)task->rt_priority;
  row->policy = (__s32)task->policy;
  row->tty_nr = 0;
  row->tpgid = -1;
  if (signal->tty) fill_terminal(row, number_of(signal, scratch));
  // A kernel thread may have borrowed the memory of another process.
  row->has_mm = mm && !(row->flags & kKernelThread);

  // Most processes of a host sleep. One that has not run since it was read, and has no other thread, is as it
  // was: half of the cache lines need not be fetched.
  __u32 place = (__u32)row->pid & (kKnownPlaces - 1);
  struct known* known = groups == 0 ? bpf_map_lookup_elem(&knowns, &place) : NULL;
  __u32 rests = row->state != 0 && row->threads == 1;
  if (known && rests && known->pid == (__u32)row->pid && known->ran_ns == ran_ns &&
      known->mm == (row->has_mm ? number_of(mm, scratch) : 0) && known->sequence == sequence &&
      known->start_ns == task->start_boottime && known->uses_left > 0) {
    known->uses_left--;
    recall(row, known);
    if (!row->has_mm) {
      fill_no_memory(row);
      return 0;
    }
    fill_resident(row, mm);
    return READ_ONCE(task->mm) != mm;
  }

  row->start_ns = task->start_boottime;
  row->pidfs_inode = FIELD_EXISTS(tgid->ino) ? tgid->ino : 0;
  row->exit_state = (__u32)task->exit_state;
  row->exec_id = (__u32)task->self_exec_id;
  const __u64* comm = (const __u64*)&task->comm;
  ((__u64*)row->comm)[0] = comm[0];
  ((__u64*)row->comm)[1] = comm[1];
  fill_credentials(row, task->real_cred, groups);
  if (groups & kWalkStatus) {
    row->voluntary_switches = task->nvcsw;
    row->involuntary_switches = task->nivcsw;
  }
  if (row->has_mm) {
    fill_resident(row, mm);
    fill_memory(row, mm, groups);
    if (groups & kWalkExact) add_remainders(row, number_of(mm, scratch), cpus);
  } else {
    fill_no_memory(row);
  }
  if (groups & kWalkKernel) {
    row->oom_score_adj = signal->oom_score_adj;
    row->cgroup_id = FIELD_EXISTS(task->cgroups) ? task->cgroups->dfl_cgrp->kn->id : 0;
    fill_open_files(row, number_of(task, scratch));
  }

  start_sums(row, signal, sequence, groups);
  if (row->threads > 1) {
    add_threads(row, number_of(signal, scratch), groups);
  } else {
    add_task(row, task, groups);
  }
  // Memory that the process has given up, in an exec or at its end, may be another's by now; a thread that
  // ends goes from the list of threads into the sums.
  if (READ_ONCE(task->mm) != mm) return 1;
  if ((sequence & 1) || READ_ONCE(signal->stats_lock.seqcount.seqcount.sequence) != sequence) return 1;
  if (known && rests) remember(known, row, ran_ns, row->has_mm ? number_of(mm, scratch) : 0, sequence);
  return 0;
}

#define TOUCH(place) ((void)READ_ONCE(place))

// What costs is waiting for memory, some thirty cache lines a process: they are asked for all at once, those
// of the task two processes before they are needed, those that it points to one before.
static __always_inline void touch_task(struct task_struct* task, __u32 groups) {
  TOUCH(task->__state);
  TOUCH(task->prio);
  TOUCH(task->se.sum_exec_runtime);
  TOUCH(task->policy);
  TOUCH(task->mm);
  TOUCH(task->pid);
  TOUCH(task->group_leader);
  TOUCH(task->start_boottime);
  TOUCH(task->signal);
  if (groups == 0) return;  // the rest is rarely needed then
  TOUCH(task->exit_state);
  TOUCH(task->utime);
  TOUCH(task->real_cred);
  TOUCH(task->self_exec_id);
}

static __always_inline void touch_what_it_points_to(struct task_struct* task, __u32 groups) {
  struct signal_struct* signal = task->signal;
  struct mm_struct* mm = task->mm;
  TOUCH(signal->nr_threads);
  TOUCH(signal->pids[kPidtypeTgid]);
  TOUCH(signal->utime);
  TOUCH(mm->rss_stat[0].count);
  TOUCH(mm->rss_stat[2].count);
  TOUCH(mm->rss_stat[3].count);
  if (groups == 0) return;
  TOUCH(signal->prev_cputime.utime);
  TOUCH(mm->total_vm);
  TOUCH(mm->stack_vm);
  TOUCH(task->real_cred->euid.val);
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
  struct task_struct* second = KERNEL_CAST(struct task_struct, walk->next);
  struct task_struct* third = KERNEL_CAST(struct task_struct, TASK_OF(second->tasks.next, tasks));
  touch_task(third, walk->groups);
  touch_what_it_points_to(second, walk->groups);
  struct process_row* row = &slice->rows[next];
  row->read_ns = walk->now_ns;
  // A thread that execs takes the place of its leader, which is led by it then.
  struct task_struct* leader = task;
  if (task->pid != task->tgid) leader = task->group_leader;
  int result = fill(row, number_of(leader, walk->scratch), walk->groups, walk->cpus);
  if (row->threads > kManyThreads) walk->visited = 0;
  if (result == 1 && walk->retries++ < kRetries) return 0;
  walk->retries = 0;
  walk->task = walk->next;
  walk->next = (__u64)third;
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
  struct scratch* scratch = bpf_map_lookup_elem(&scratches, &zero);
  if (!slice || !scratch) return 1;
  struct walk walk = {.slice = slice, .scratch = scratch, .groups = slice->groups, .more = 1};
  walk.cpus = slice->cpus;
  walk.now_ns = bpf_ktime_get_ns();
  walk.end_ns = walk.now_ns + slice->budget_ns;
  slice->count = 0;
  // What is reached in here is not freed before the end, and its list goes on.
  bpf_rcu_read_lock();
  walk.task = first_task(slice);
  if (walk.task) {
    walk.next = TASK_OF(KERNEL_CAST(struct task_struct, walk.task)->tasks.next, tasks);
    bpf_loop(kUnbounded, visit, &walk, 0);
  }
  bpf_rcu_read_unlock();
  slice->lost = !walk.task;
  slice->count = walk.count;
  slice->more = walk.more;
  return 0;
}

// For kWalkExact, once for each CPU: what is to be added to the address of a per-CPU variable to find that
// CPU's copy. The kernel's own array of it cannot be had by name everywhere; a map of our own shows it.
SEC("syscall") int learn_cpu(void* context) {
  __u32 zero = 0;
  struct process_slice* slice = bpf_map_lookup_elem(&slices, &zero);
  struct scratch* scratch = bpf_map_lookup_elem(&scratches, &zero);
  if (!slice || !scratch) return 1;
  __u32 cpu = slice->cpus;
  if (cpu >= PROCMUSTER_EXACT_CPUS) return 1;
  void* copy = bpf_map_lookup_percpu_elem(&per_cpu, &zero, cpu);
  if (!copy) return 1;
  scratch->cpu_offset[cpu] = (__u64)copy;  // read back, it is a number to the verifier, no pointer
  // struct prev_cputime: its first member is 64 bits wide, which is all that is wanted of it here.
  __u64 place = (__u64)KERNEL_CAST(struct bpf_array, &per_cpu) + OFFSET_OF(struct bpf_array, pptrs);
  READ_ONCE(scratch->cpu_offset[cpu]) -= KERNEL_CAST(struct prev_cputime, place)->utime;
  return 0;
}
