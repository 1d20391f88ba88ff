// What the kernel programs (*.bpf.c) are written with: the few names that libbpf's headers would bring, so
// that clang and bpftool alone build them.
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;

#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#define __ksym __attribute__((section(".ksyms")))
#define __weak __attribute__((weak))
#define NULL ((void*)0)

// Map definitions, as libbpf's BTF maps: struct { MAP_UINT(type, ...); MAP_TYPE(value, ...); } name
// SEC(".maps");
#define MAP_UINT(name, number) int(*name)[number]
#define MAP_TYPE(name, what) what* name

enum { BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_PERCPU_ARRAY = 6, BPF_MAP_TYPE_RINGBUF = 27 };
enum { BPF_F_MMAPABLE = 1U << 10 };

// Fields of kernel structs are found by name when the program is loaded: declare only those that are read,
// between these two lines.
#define KERNEL_STRUCTS_BEGIN \
  _Pragma("clang attribute push(__attribute__((preserve_access_index)), apply_to = record)")
#define KERNEL_STRUCTS_END _Pragma("clang attribute pop")
// Whether the running kernel has the field: FIELD_EXISTS(task->ioac.read_bytes).
#define FIELD_EXISTS(field) __builtin_preserve_field_info(field, 2)
// The running kernel's BTF id of a type.
#define KERNEL_TYPE_ID(type) __builtin_btf_type_id(*(type*)0, 1)
// An address seen as a kernel struct: loads through it yield 0 where nothing is mapped.
#define KERNEL_CAST(type, address) ((type*)bpf_rdonly_cast((void*)(address), KERNEL_TYPE_ID(type)))

extern void* bpf_rdonly_cast(void* address, __u32 type_id) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

static void* (*const bpf_map_lookup_elem)(void* map, const void* key) = (void*)1;
static __u64 (*const bpf_ktime_get_ns)(void) = (void*)5;
static long (*const bpf_probe_read_kernel)(void* to, __u32 size, const void* from) = (void*)113;
static long (*const bpf_loop)(__u32 count, void* callback, void* context, __u64 flags) = (void*)181;
static void* (*const bpf_map_lookup_percpu_elem)(void* map, const void* key, __u32 cpu) = (void*)195;
