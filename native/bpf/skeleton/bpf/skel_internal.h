// What bpftool's light skeletons (native/bpf/generated) are written against: stands in for libbpf's header of
// this name, so that neither libbpf nor libelf is needed, to build or to run. The structs are the skeletons'
// fixed layout.
#pragma once

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bpf_map_desc {
  int map_fd;
  __u32 max_entries;
  __aligned_u64 initial_value;
};

struct bpf_prog_desc {
  int prog_fd;
};

struct bpf_loader_ctx {
  __u32 sz;
  __u32 flags;
  __u32 log_level;
  __u32 log_size;
  __u64 log_buf;
};

struct bpf_load_and_run_opts {
  struct bpf_loader_ctx* ctx;
  const void* data;
  const void* insns;
  __u32 data_sz;
  __u32 insns_sz;
  const char* errstr;
};

void* skel_alloc(size_t size);
void skel_free(void* skeleton);
int skel_closenz(int fd);
// Global variables of a program: first a copy of their initial values, then the kernel's own memory in its
// place.
void* skel_prep_map_data(const void* values, size_t mapped_size, size_t size);
void* skel_finalize_map_data(__u64* initial_value, size_t mapped_size, int protection, int fd);
void skel_free_map_data(void* data, __u64 address, size_t mapped_size);
int skel_raw_tracepoint_open(const char* name, int prog_fd);
int skel_link_create(int prog_fd, int target_fd, enum bpf_attach_type attach_type);
// 0, or a negative errno.
int bpf_load_and_run(struct bpf_load_and_run_opts* opts);
