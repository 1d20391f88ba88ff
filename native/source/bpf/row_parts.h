// Parts of a row that few processes have, or few walks ask for.
#pragma once

#include "source/bpf/rows.h"
#include "source/bpf/task_structs.h"

enum { kMostFileWords = 1 << 14 };

// Memory that the reader does not map.
struct scratch {
  __u64 number;
  // Where each CPU's copy of a per-CPU variable is, relative to the variable's address.
  __u64 cpu_offset[PROCMUSTER_EXACT_CPUS];
};
struct {
  MAP_UINT(type, BPF_MAP_TYPE_ARRAY);
  MAP_UINT(max_entries, 1);
  MAP_TYPE(key, __u32);
  MAP_TYPE(value, struct scratch);
} scratches SEC(".maps");

// Functions that are __noinline and not static are verified by themselves, once, which keeps the load short;
// they take kernel addresses as numbers.

// A pointer that has been in a map is a mere number to the verifier.
static __always_inline __u64 number_of(const void* pointer, struct scratch* scratch) {
  scratch->number = (__u64)pointer;
  return READ_ONCE(scratch->number);
}

__noinline int fill_terminal(struct process_row* row, __u64 address) {
  struct signal_struct* signal = KERNEL_CAST(struct signal_struct, address);
  struct tty_struct* tty = signal->tty;
  if (!row || !tty) return 0;
  struct tty_driver* driver = tty->driver;
  struct pid* foreground = tty->ctrl.pgrp;
  __u32 minor = (__u32)(driver->minor_start + tty->index);
  __u32 device = (minor & 0xff) | ((__u32)driver->major << 8) | ((minor & 0xfff00) << 12);
  int group = foreground ? foreground->numbers[0].nr : 0;
  if (READ_ONCE(signal->tty) != tty) return 0;  // hung up meanwhile, and perhaps freed
  row->tty_nr = (__s32)device;
  row->tpgid = group;
  return 0;
}

struct cpu_sums {
  struct scratch* scratch;
  __u64 counters[4];  // addresses, per CPU
  __s64 pages[4];
};

// A 32-bit word at any address; struct seqcount for want of a plain type that bpf_rdonly_cast takes.
static __always_inline __s32 word_at(__u64 address) {
  return (__s32)KERNEL_CAST(struct seqcount, address)->sequence;
}

static long add_cpu(__u32 cpu, struct cpu_sums* sums) {
  if (cpu >= PROCMUSTER_EXACT_CPUS) return 1;
  __u64 offset = sums->scratch->cpu_offset[cpu];
  sums->pages[0] += word_at(sums->counters[0] + offset);
  sums->pages[1] += word_at(sums->counters[1] + offset);
  sums->pages[2] += word_at(sums->counters[2] + offset);
  sums->pages[3] += word_at(sums->counters[3] + offset);
  return 0;
}

// What each CPU has counted and not yet added to the counters, as percpu_counter_sum() does for statm.
__noinline int add_remainders(struct process_row* row, __u64 memory, __u32 cpus) {
  __u32 zero = 0;
  struct mm_struct* mm = KERNEL_CAST(struct mm_struct, memory);
  struct cpu_sums sums = {.scratch = bpf_map_lookup_elem(&scratches, &zero)};
  sums.counters[0] = (__u64)mm->rss_stat[0].counters;
  sums.counters[1] = (__u64)mm->rss_stat[1].counters;
  sums.counters[2] = (__u64)mm->rss_stat[2].counters;
  sums.counters[3] = (__u64)mm->rss_stat[3].counters;
  if (!row || !sums.scratch || !sums.counters[0]) return 0;
  bpf_loop(cpus, add_cpu, &sums, 0);
  row->rss_pages[0] += sums.pages[0];
  row->rss_pages[1] += sums.pages[1];
  row->rss_pages[2] += sums.pages[2];
  row->rss_pages[3] += sums.pages[3];
  return 0;
}

struct open_files {
  __u64 words;
  __u32 count;
};

static long count_word(__u32 index, struct open_files* files) {
  // struct prev_cputime: its first member is 64 bits wide, which is all that is wanted of it here.
  __u64 bits = KERNEL_CAST(struct prev_cputime, files->words + index * 8ull)->utime;
  bits -= (bits >> 1) & 0x5555555555555555ull;
  bits = (bits & 0x3333333333333333ull) + ((bits >> 2) & 0x3333333333333333ull);
  bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0full;
  files->count += (__u32)((bits * 0x0101010101010101ull) >> 56);
  return 0;
}

__noinline int fill_open_files(struct process_row* row, __u64 address) {
  struct task_struct* task = KERNEL_CAST(struct task_struct, address);
  if (!row) return 0;
  struct files_struct* files = task->files;
  row->open_files = 0;
  if (!files) return 0;
  struct fdtable* table = files->fdt;
  __u32 words = table->max_fds / 64;
  struct open_files open = {.words = (__u64)table->open_fds};
  if (words <= kMostFileWords) bpf_loop(words, count_word, &open, 0);
  // Given up meanwhile, and perhaps another's by now.
  if (READ_ONCE(task->files) != files) return 0;
  row->open_files = words <= kMostFileWords ? open.count : PROCMUSTER_UNKNOWN;
  return 0;
}
