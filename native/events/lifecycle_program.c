#include "events/lifecycle_program.h"

#include <errno.h>

#if PROCMUSTER_BPF
#include "events/records.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wunused-function"
#include "bpf/generated/lifecycle.h"
#pragma GCC diagnostic pop

static int taken(int* fd) {
  int result = *fd;
  *fd = 0;  // the caller's now
  return result;
}

int lifecycle_load(struct lifecycle_descriptors* descriptors, const struct bpf_program_log* log) {
  struct lifecycle* skeleton = lifecycle__open();
  if (!skeleton) return -ENOMEM;
  skeleton->ctx.log_level = log->text ? BPF_PROGRAM_LOG_LEVEL : 0;
  skeleton->ctx.log_size = log->size;
  skeleton->ctx.log_buf = (__u64)(uintptr_t)log->text;
  skeleton->maps.events.max_entries = descriptors->events_bytes;
  int error = lifecycle__load(skeleton);
  if (error == 0) {
    descriptors->events_fd = taken(&skeleton->maps.events.map_fd);
    descriptors->state_fd = taken(&skeleton->maps.states.map_fd);
    descriptors->fork_fd = taken(&skeleton->progs.on_fork.prog_fd);
    descriptors->exec_fd = taken(&skeleton->progs.on_exec.prog_fd);
    descriptors->exit_fd = taken(&skeleton->progs.on_exit.prog_fd);
    descriptors->signal_fd = taken(&skeleton->progs.on_signal.prog_fd);
    descriptors->wakeup_fd = taken(&skeleton->progs.on_wakeup_new.prog_fd);
  }
  lifecycle__destroy(skeleton);
  return error;
}

int lifecycle_attach(int program_fd) { return skel_raw_tracepoint_open(NULL, program_fd); }
#else
int lifecycle_load(struct lifecycle_descriptors* descriptors, const struct bpf_program_log* log) {
  (void)descriptors;
  (void)log;
  return -ENOSYS;
}

int lifecycle_attach(int program_fd) {
  (void)program_fd;
  return -ENOSYS;
}
#endif
