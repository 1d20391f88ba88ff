// Kernel program: a record of each fork, exec, exit and fatal signal into a ring buffer.
#include "bpf/program.h"
#include "events/records.h"

typedef _Bool bool;
enum { BPF_MAP_TYPE_LRU_HASH = 9 };
enum { BPF_NOEXIST = 1 };
static long (*const bpf_map_update_elem)(void* map, const void* key, const void* value,
                                         __u64 flags) = (void*)2;
static long (*const bpf_map_delete_elem)(void* map, const void* key) = (void*)3;
static __u64 (*const bpf_ktime_get_boot_ns)(void) = (void*)125;
static void* (*const bpf_ringbuf_reserve)(void* buffer, __u64 size, __u64 flags) = (void*)131;
static void (*const bpf_ringbuf_submit)(void* record, __u64 flags) = (void*)132;
static struct task_struct* (*const bpf_get_current_task_btf)(void) = (void*)158;

KERNEL_STRUCTS_BEGIN
struct percpu_counter {
  __s64 count;
};
struct mm_struct {
  unsigned long hiwater_rss;
  struct percpu_counter rss_stat[4];
};
struct task_io_accounting {
  __u64 read_bytes, write_bytes;
};
struct rq {
  __u64 clock, clock_task;
};
struct cfs_rq {
  struct rq* rq;
};
struct sched_entity {
  __u64 exec_start, sum_exec_runtime;
  struct cfs_rq* cfs_rq;
};
struct pid {
  __u64 ino;
};
typedef struct {
  int counter;
} atomic_t;
typedef struct {
  unsigned long sig[1];
} sigset_t;
struct sigaction {
  void* sa_handler;
};
struct k_sigaction {
  struct sigaction sa;
};
struct sighand_struct {
  struct k_sigaction action[64];
};
struct signal_struct {
  atomic_t live;
  int group_exit_code;
  unsigned int flags;
  unsigned long long sum_sched_runtime;
  unsigned long maxrss;
  struct task_io_accounting ioac;
  struct mm_struct* oom_mm;
};
struct task_struct {
  unsigned int flags, ptrace;
  int exit_code, pid, tgid;
  struct sched_entity se;
  struct task_struct *real_parent, *group_leader;
  struct mm_struct* mm;
  struct pid* thread_pid;
  __u64 start_boottime;
  struct signal_struct* signal;
  struct sighand_struct* sighand;
  sigset_t blocked;
  struct task_io_accounting ioac;
  char comm[16];
};
struct kernel_siginfo {
  struct {
    int si_code;
  };
};
struct trace_event_raw_sched_process_exit {
  bool group_dead;
};
KERNEL_STRUCTS_END

struct bpf_iter_task {
  __u64 opaque[3];
} __attribute__((aligned(8)));
extern struct task_struct* bpf_task_acquire(struct task_struct* task) __ksym;
extern void bpf_task_release(struct task_struct* task) __ksym;
extern int bpf_iter_task_new(struct bpf_iter_task* it, struct task_struct* task, unsigned int flags) __ksym;
extern struct task_struct* bpf_iter_task_next(struct bpf_iter_task* it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task* it) __ksym;

enum { TASK_ITER_PROC_THREADS = 2 };
enum { PF_KTHREAD = 0x00200000 };
enum { SIGNAL_GROUP_EXIT = 0x4, SIGNAL_UNKILLABLE = 0x40 };  // linux/sched/signal.h
enum { SIGKILL = 9 };
enum { SI_USER = 0, SI_QUEUE = -1, SI_TKILL = -6 };
enum { TRACE_SIGNAL_DELIVERED = 0, TRACE_SIGNAL_LOSE_INFO = 4 };

// The clocks drift apart by some parts in a million.
#define LONGEST_COMPARED_NS 60000000000ull
#define LONGEST_UNACCOUNTED_NS 1000000000ll  // a processor without ticks

#define BIT(signal) (1ull << ((signal)-1))
// signal(7): what does not end a process by default: CHLD CONT URG WINCH, STOP TSTP TTIN TTOU.
#define HARMLESS (BIT(17) | BIT(18) | BIT(23) | BIT(28) | BIT(19) | BIT(20) | BIT(21) | BIT(22))
// ... and what ends it with a core dump: QUIT ILL TRAP ABRT BUS FPE SEGV XCPU XFSZ SYS.
#define DUMPS_CORE \
  (BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(11) | BIT(24) | BIT(25) | BIT(31))

struct {
  MAP_UINT(type, BPF_MAP_TYPE_ARRAY);
  MAP_UINT(map_flags, BPF_F_MMAPABLE);
  MAP_UINT(max_entries, 1);
  MAP_TYPE(key, __u32);
  MAP_TYPE(value, struct lifecycle_state);
} states SEC(".maps");

struct {
  MAP_UINT(type, BPF_MAP_TYPE_RINGBUF);
  MAP_UINT(max_entries, 4096);  // the loader says how many
} events SEC(".maps");

// The last sender of each signal that ends its target by default, until that has ended.
struct sender_key {
  __s32 pid, signal;
};
struct sent_signal {
  __u64 target_start_ns;
  struct lifecycle_sender sender;
};
struct {
  MAP_UINT(type, BPF_MAP_TYPE_LRU_HASH);
  MAP_UINT(max_entries, 8192);
  MAP_TYPE(key, struct sender_key);
  MAP_TYPE(value, struct sent_signal);
} senders SEC(".maps");

// Processes whose end was told, where the kernel does not say which of the exiting threads is the last.
struct ended_key {
  __u64 start_ns;
  __s64 pid;
};
struct {
  MAP_UINT(type, BPF_MAP_TYPE_LRU_HASH);
  MAP_UINT(max_entries, 4096);
  MAP_TYPE(key, struct ended_key);
  MAP_TYPE(value, __u8);
} ended SEC(".maps");

char LICENSE[] SEC("license") = "Dual MIT/GPL";

static __always_inline struct lifecycle_state* state(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&states, &zero);
}

// A macro, for the verifier wants to see a constant size.
#define RESERVE(state, type)                                                      \
  ({                                                                              \
    struct type* reserved = bpf_ringbuf_reserve(&events, sizeof(struct type), 0); \
    if (!reserved) __sync_fetch_and_add(&(state)->lost, 1);                       \
    reserved;                                                                     \
  })

static __always_inline void describe(struct lifecycle_event* event, const struct lifecycle_state* state,
                                     __u32 type, struct task_struct* leader) {
  event->at_ns = bpf_ktime_get_boot_ns();
  event->start_ns = leader->start_boottime;
  event->pidfs_inode = FIELD_EXISTS(((struct pid*)0)->ino) ? leader->thread_pid->ino : 0;
  event->lost = state->lost;
  event->type = type;
  event->pid = leader->tgid;
  event->ppid = leader->real_parent->tgid;
  bpf_probe_read_kernel(event->name, sizeof(event->name), leader->comm);
  event->unused = 0;
}

SEC("tp_btf/sched_process_fork")
int on_fork(__u64* ctx) {
  struct task_struct* child = (struct task_struct*)ctx[1];
  if (child->pid != child->tgid) return 0;
  struct lifecycle_state* shared = state();
  if (!shared) return 0;
  struct lifecycle_event* event = RESERVE(shared, lifecycle_event);
  if (!event) return 0;
  describe(event, shared, kEventFork, child);
  bpf_ringbuf_submit(event, 0);
  return 0;
}

SEC("tp_btf/sched_process_exec")
int on_exec(__u64* ctx) {
  struct task_struct* task = (struct task_struct*)ctx[0];
  struct lifecycle_state* shared = state();
  if (!shared) return 0;
  struct lifecycle_event* event = RESERVE(shared, lifecycle_event);
  if (!event) return 0;
  describe(event, shared, kEventExec, task);
  bpf_ringbuf_submit(event, 0);
  return 0;
}

static __always_inline bool is_last_thread(__u64* ctx, struct task_struct* task) {
  if (FIELD_EXISTS(((struct trace_event_raw_sched_process_exit*)0)->group_dead)) return (__u8)ctx[1];
  if (task->signal->live.counter != 0) return 0;
  // Several threads that exit at once can each see that none is left.
  struct ended_key key = {task->group_leader->start_boottime, task->tgid};
  __u8 value = 0;
  return bpf_map_update_elem(&ended, &key, &value, BPF_NOEXIST) == 0;
}

static __always_inline __u64 peak_rss_pages(struct task_struct* task) {
  struct mm_struct* mm = task->mm;
  // Let go of already before Linux 6.16. What is kept then counts what it had before an exec, too.
  if (!mm) return task->signal->maxrss;
  __s64 now = mm->rss_stat[0].count + mm->rss_stat[1].count + mm->rss_stat[3].count;
  __s64 peak = mm->hiwater_rss;
  return peak > now ? peak : now;
}

// The iterator goes from the thread that it is given to the end of the list: only from the leader, which is
// first and is listed until all others have gone, does it meet every thread.
static __always_inline void count_use(struct lifecycle_exit* record, struct task_struct* leader,
                                      struct signal_struct* signal) {
  // Of threads that were reaped; the others, the last one too, are still listed.
  __u64 cpu_ns = signal->sum_sched_runtime;
  __u64 read_bytes = PROCMUSTER_UNCOUNTED, write_bytes = PROCMUSTER_UNCOUNTED;
  if (FIELD_EXISTS(signal->ioac.read_bytes)) {
    read_bytes = signal->ioac.read_bytes;
    write_bytes = signal->ioac.write_bytes;
  }
  struct bpf_iter_task threads;
  struct task_struct* thread;
  bpf_iter_task_new(&threads, leader, TASK_ITER_PROC_THREADS);
  while ((thread = bpf_iter_task_next(&threads))) {
    cpu_ns += thread->se.sum_exec_runtime;
    if (FIELD_EXISTS(thread->ioac.read_bytes)) {
      read_bytes += thread->ioac.read_bytes;
      write_bytes += thread->ioac.write_bytes;
    }
  }
  bpf_iter_task_destroy(&threads);
  record->cpu_ns = cpu_ns;
  record->read_bytes = read_bytes;
  record->write_bytes = write_bytes;
}

// The scheduler's clock can be read nowhere but on a run queue, and is up to date there at few places: at one
// of them it is compared with the clock that programs can read.
SEC("tp_btf/sched_wakeup_new")
int on_wakeup_new(__u64* ctx) {
  struct task_struct* task = (struct task_struct*)ctx[0];
  struct lifecycle_state* shared = state();
  if (!shared || !FIELD_EXISTS(task->se.cfs_rq)) return 0;
  __u64 now = bpf_ktime_get_ns();
  shared->clock_ahead_ns = task->se.cfs_rq->rq->clock - now;
  shared->compared_ns = now;
  return 0;
}

// What the running thread used since the scheduler last accounted for it: at a tick, or when it got the
// processor.
static __always_inline __u64 unaccounted_ns(const struct lifecycle_state* shared, struct task_struct* task) {
  if (!FIELD_EXISTS(task->se.cfs_rq) || !shared->compared_ns) return 0;
  __u64 now = bpf_ktime_get_ns();
  if (now - shared->compared_ns > LONGEST_COMPARED_NS) return 0;
  // Time that was stolen or spent on interrupts is not the task's.
  struct rq* rq = task->se.cfs_rq->rq;
  __s64 lag = rq->clock - rq->clock_task;
  __s64 since = now + shared->clock_ahead_ns - lag - task->se.exec_start;
  return since > 0 && since < LONGEST_UNACCOUNTED_NS ? since : 0;
}

SEC("tp_btf/sched_process_exit")
int on_exit(__u64* ctx) {
  struct task_struct* task = (struct task_struct*)ctx[0];
  struct lifecycle_state* shared = state();
  if (!shared || !is_last_thread(ctx, task)) return 0;
  struct task_struct* leader = task->group_leader;
  struct signal_struct* signal = task->signal;
  __u32 status = signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : leader->exit_code;
  struct sender_key key = {task->tgid, status & 0x7f};
  struct sent_signal* sent = key.signal ? bpf_map_lookup_elem(&senders, &key) : 0;
  if (sent && sent->target_start_ns != leader->start_boottime) sent = 0;
  struct lifecycle_exit* record = RESERVE(shared, lifecycle_exit);
  if (record) {
    describe(&record->event, shared, kEventExit, leader);
    record->status = status;
    record->sender.pid = 0;
    if (sent) record->sender = sent->sender;
    record->oom_killed = key.signal == SIGKILL && signal->oom_mm && !record->sender.pid;
    record->unused = 0;
    record->peak_rss_pages = peak_rss_pages(task);
    record->cpu_ns = record->read_bytes = record->write_bytes = 0;
    struct task_struct* first = bpf_task_acquire(leader);
    if (first) {
      count_use(record, first, signal);
      bpf_task_release(first);
    }
    record->cpu_ns += unaccounted_ns(shared, task);
    bpf_ringbuf_submit(record, 0);
  }
  if (key.signal) bpf_map_delete_elem(&senders, &key);
  return 0;
}

static __always_inline bool handled(struct task_struct* task, __u32 signal) {
  struct sighand_struct* sighand = 0;
  void* handler = 0;
  bpf_probe_read_kernel(&sighand, sizeof(sighand), &task->sighand);
  if (!sighand) return 1;
  __u64 action = (__u64)&sighand->action[0].sa.sa_handler;
  bpf_probe_read_kernel(
      &handler, sizeof(handler),
      (void*)(action + (signal - 1) * __builtin_preserve_type_info(*(struct k_sigaction*)0, 1)));
  return handler != 0;  // SIG_DFL
}

// Whether a program sent it: then that is the current one.
static __always_inline bool sent_by_program(__u64 info) {
  if (info <= 1) return info == 0;  // SEND_SIG_NOINFO, SEND_SIG_PRIV
  int code = 1;
  bpf_probe_read_kernel(&code, sizeof(code), &((struct kernel_siginfo*)info)->si_code);
  return code == SI_USER || code == SI_QUEUE || code == SI_TKILL;
}

SEC("tp_btf/signal_generate")
int on_signal(__u64* ctx) {
  __u32 signal = (__u32)ctx[0];
  struct task_struct* task = (struct task_struct*)ctx[2];
  int result = (int)ctx[4];
  if (signal < 1 || signal > 64 || (HARMLESS & BIT(signal))) return 0;
  if (result != TRACE_SIGNAL_DELIVERED && result != TRACE_SIGNAL_LOSE_INFO) return 0;
  if (task->flags & PF_KTHREAD) return 0;
  struct task_struct* leader = task->group_leader;
  struct sender_key key = {task->tgid, signal};
  struct sent_signal sent = {};
  sent.target_start_ns = leader->start_boottime;
  if (sent_by_program(ctx[1])) {
    struct task_struct* sender = bpf_get_current_task_btf();
    sent.sender.pid = sender->tgid;
    bpf_probe_read_kernel(sent.sender.name, sizeof(sent.sender.name), sender->group_leader->comm);
  }
  // Also of one that is handled now: it may be blocked, and no longer handled once it is delivered.
  bpf_map_update_elem(&senders, &key, &sent, 0);
  if (signal != SIGKILL && handled(task, signal)) return 0;

  struct lifecycle_state* shared = state();
  if (!shared || !(shared->wanted & (1 << kEventSignal))) return 0;
  struct signal_struct* group = task->signal;
  // The kernel has decided already, but for signals that dump core: these end it once they are delivered.
  bool ends = (group->flags & SIGNAL_GROUP_EXIT) && group->group_exit_code == signal;
  bool dumps = (DUMPS_CORE & BIT(signal)) && !(task->blocked.sig[0] & BIT(signal)) && !task->ptrace &&
               !(group->flags & (SIGNAL_GROUP_EXIT | SIGNAL_UNKILLABLE));
  if (!ends && !dumps) return 0;
  struct lifecycle_signal* record = RESERVE(shared, lifecycle_signal);
  if (!record) return 0;
  describe(&record->event, shared, kEventSignal, leader);
  record->sender = sent.sender;
  record->signal = signal;
  bpf_ringbuf_submit(record, 0);
  return 0;
}
