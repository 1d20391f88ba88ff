// The kernel program task_walk.bpf.c, as C++ loads it.
#pragma once

#include "bpf/program_log.h"

#ifdef __cplusplus
extern "C" {
#endif

struct task_walk_descriptors {
  int slices_fd;  // array map of one struct process_slice
  int walk_fd;
  int learn_cpu_fd;
};

// 0 or a negative errno; -ENOSYS when built without it.
int task_walk_load(struct task_walk_descriptors* descriptors, const struct bpf_program_log* log);

#ifdef __cplusplus
}
#endif
