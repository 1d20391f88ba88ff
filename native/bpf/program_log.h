// How a kernel program's skeleton is loaded from C++: the skeletons are C, so that each has a small C file
// (task_walk_program.c) which fills a struct of descriptors, and takes this for the verifier's words.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

// Errors and statistics (BPF_LOG_STATS), without the trace of each instruction, which takes seconds and
// megabytes.
#define BPF_PROGRAM_LOG_LEVEL 4

struct bpf_program_log {
  char* text;  // null: none wanted
  unsigned int size;
};

#ifdef __cplusplus
}
#endif
