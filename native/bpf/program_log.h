// How a kernel program's skeleton is loaded from C++: the skeletons are C, so that each has a small C file
// (task_walk_program.c) which fills a struct of descriptors, and takes this for the verifier's words.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

struct bpf_program_log {
  char* text;  // null: none wanted
  unsigned int size;
};

#ifdef __cplusplus
}
#endif
