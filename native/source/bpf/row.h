// A row of the kernel's values into the cells of a process, scaled as the files below /proc show them.
#pragma once

#include <cstdint>

#include "source/bpf/rows.h"
#include "table/buffer.h"

namespace procmuster {

// CPU time in user and kernel mode, as shown last; neither ever goes back.
struct ShownCpuTime {
  uint64_t user_ns = 0;
  uint64_t system_ns = 0;
  uint64_t sum() const { return user_ns + system_ns; }
};

// All cells but the derived ones and the name. *shown is what this row's process had in the sample before.
void StoreProcessRow(const TableBuffer& table, uint32_t slot, const process_row& row, ShownCpuTime* shown);

// The letter of proc_pid_stat(5) field 3.
char StateLetter(uint32_t state, uint32_t exit_state);

// The kernel counts user and system time in ticks, and the sum of both exactly: so it splits the sum in the
// ratio of the ticks, as cputime_adjust() of kernel/sched/cputime.c, and keeps either from going back.
ShownCpuTime AdjustCpuTime(const process_row& row, ShownCpuTime shown);

// Clock ticks since boot, as proc_pid_stat(5) field 22.
uint64_t StartTicks(uint64_t start_ns);

}  // namespace procmuster
