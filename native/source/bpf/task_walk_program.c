#include "source/bpf/task_walk_program.h"

#include <errno.h>

#if PROCMUSTER_BPF
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wunused-function"
#include "bpf/generated/task_walk.h"
#pragma GCC diagnostic pop

int task_walk_load(struct task_walk_descriptors* descriptors, const struct bpf_program_log* log) {
  struct task_walk* skeleton = task_walk__open();
  if (!skeleton) return -ENOMEM;
  skeleton->ctx.log_level = log->text ? BPF_PROGRAM_LOG_LEVEL : 0;
  skeleton->ctx.log_size = log->size;
  skeleton->ctx.log_buf = (__u64)(uintptr_t)log->text;
  int error = task_walk__load(skeleton);
  if (error == 0) {
    descriptors->slices_fd = skeleton->maps.slices.map_fd;
    descriptors->walk_fd = skeleton->progs.walk.prog_fd;
    descriptors->learn_cpu_fd = skeleton->progs.learn_cpu.prog_fd;
    skeleton->maps.slices.map_fd = 0;  // the caller's now
    skeleton->progs.walk.prog_fd = 0;
    skeleton->progs.learn_cpu.prog_fd = 0;
  }
  task_walk__destroy(skeleton);
  return error;
}
#else
int task_walk_load(struct task_walk_descriptors* descriptors, const struct bpf_program_log* log) {
  (void)descriptors;
  (void)log;
  return -ENOSYS;
}
#endif
