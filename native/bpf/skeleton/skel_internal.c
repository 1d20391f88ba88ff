#include "bpf/skel_internal.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#define SIZE_UP_TO(member) (offsetof(union bpf_attr, member) + sizeof(((union bpf_attr*)0)->member))

// A descriptor or 0; a negative errno.
static int sys_bpf(enum bpf_cmd command, union bpf_attr* attr, unsigned int size) {
  long result = syscall(SYS_bpf, command, attr, size);
  return result < 0 ? -errno : (int)result;
}

void* skel_alloc(size_t size) { return calloc(1, size); }

void skel_free(void* skeleton) { free(skeleton); }

int skel_closenz(int fd) { return fd > 0 ? close(fd) : -EINVAL; }

void* skel_prep_map_data(const void* values, size_t mapped_size, size_t size) {
  void* data = mmap(NULL, mapped_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return NULL;
  return memcpy(data, values, size);
}

void* skel_finalize_map_data(__u64* initial_value, size_t mapped_size, int protection, int fd) {
  void* data = mmap((void*)(uintptr_t)*initial_value, mapped_size, protection, MAP_SHARED | MAP_FIXED, fd, 0);
  return data == MAP_FAILED ? NULL : data;
}

void skel_free_map_data(void* data, __u64 address, size_t mapped_size) {
  (void)address;
  if (data) munmap(data, mapped_size);
}

int skel_raw_tracepoint_open(const char* name, int prog_fd) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.raw_tracepoint.name = (uintptr_t)name;
  attr.raw_tracepoint.prog_fd = (__u32)prog_fd;
  return sys_bpf(BPF_RAW_TRACEPOINT_OPEN, &attr, SIZE_UP_TO(raw_tracepoint.prog_fd));
}

int skel_link_create(int prog_fd, int target_fd, enum bpf_attach_type attach_type) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.link_create.prog_fd = (__u32)prog_fd;
  attr.link_create.target_fd = (__u32)target_fd;
  attr.link_create.attach_type = attach_type;
  return sys_bpf(BPF_LINK_CREATE, &attr, SIZE_UP_TO(link_create.iter_info_len));
}

static int create_loader_map(const struct bpf_load_and_run_opts* opts) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.map_type = BPF_MAP_TYPE_ARRAY;
  memcpy(attr.map_name, "__loader.map", sizeof "__loader.map");
  attr.key_size = 4;
  attr.value_size = opts->data_sz;
  attr.max_entries = 1;
  int map_fd = sys_bpf(BPF_MAP_CREATE, &attr, SIZE_UP_TO(map_extra));
  if (map_fd < 0) return map_fd;

  int key = 0;
  memset(&attr, 0, sizeof attr);
  attr.map_fd = (__u32)map_fd;
  attr.key = (uintptr_t)&key;
  attr.value = (uintptr_t)opts->data;
  int error = sys_bpf(BPF_MAP_UPDATE_ELEM, &attr, SIZE_UP_TO(flags));
  if (error < 0) {
    close(map_fd);
    return error;
  }
  return map_fd;
}

static int load_loader(const struct bpf_load_and_run_opts* opts, int map_fd) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.prog_type = BPF_PROG_TYPE_SYSCALL;
  attr.insns = (uintptr_t)opts->insns;
  attr.insn_cnt = opts->insns_sz / (__u32)sizeof(struct bpf_insn);
  attr.license = (uintptr_t) "Dual BSD/GPL";  // of the code that bpftool generates
  memcpy(attr.prog_name, "__loader.prog", sizeof "__loader.prog");
  attr.fd_array = (uintptr_t)&map_fd;
  attr.log_level = opts->ctx->log_level;
  attr.log_size = opts->ctx->log_size;
  attr.log_buf = opts->ctx->log_buf;
  attr.prog_flags = BPF_F_SLEEPABLE;
  return sys_bpf(BPF_PROG_LOAD, &attr, SIZE_UP_TO(fd_array));
}

int bpf_load_and_run(struct bpf_load_and_run_opts* opts) {
  opts->errstr = "failed to create the loader's map";
  int map_fd = create_loader_map(opts);
  if (map_fd < 0) return map_fd;

  opts->errstr = "failed to load the loader";
  int error = load_loader(opts, map_fd);
  int prog_fd = error;
  if (prog_fd >= 0) {
    opts->errstr = "the loader failed";
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.test.prog_fd = (__u32)prog_fd;
    attr.test.ctx_in = (uintptr_t)opts->ctx;
    attr.test.ctx_size_in = opts->ctx->sz;
    error = sys_bpf(BPF_PROG_RUN, &attr, SIZE_UP_TO(test));
    if (error >= 0) error = (int)attr.test.retval;  // the loader's own: what bpf(2) told it
    close(prog_fd);
  }
  close(map_fd);
  if (error < 0) return error;
  opts->errstr = NULL;
  return 0;
}
