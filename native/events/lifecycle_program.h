// The kernel program lifecycle.bpf.c, as C++ loads it.
#pragma once

#include "bpf/program_log.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lifecycle_descriptors {
  unsigned int events_bytes;  // brought: room of the ring buffer, a power of two
  int events_fd;
  int state_fd;  // array map of one struct lifecycle_state
  int fork_fd, exec_fd, exit_fd, signal_fd, wakeup_fd;
};

// 0 or a negative errno; -ENOSYS when built without it.
int lifecycle_load(struct lifecycle_descriptors* descriptors, const struct bpf_program_log* log);
// Lets a loaded program run at its tracepoint, until the descriptor is closed: that, or a negative errno.
int lifecycle_attach(int program_fd);

#ifdef __cplusplus
}
#endif
