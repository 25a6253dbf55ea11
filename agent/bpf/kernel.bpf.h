/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * kernel: the few kernel types and constants that the BPF programs name.
 *
 * Only the fields in use are declared; preserve_access_index makes libbpf look their offsets up in
 * the running kernel's BTF when it loads the programs (CO-RE). So the build needs neither kernel
 * headers nor a vmlinux.h, and one object runs on every kernel from 5.10 on.
 */
#pragma once

#include <stdbool.h>

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

#define NULL ((void *)0)

/* include/uapi/linux/bpf.h */
enum {
    BPF_MAP_TYPE_HASH = 1,
    BPF_MAP_TYPE_ARRAY = 2,
    BPF_MAP_TYPE_PERCPU_ARRAY = 6,
    BPF_MAP_TYPE_CGROUP_ARRAY = 8,
    BPF_MAP_TYPE_LRU_HASH = 9,
    BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_F_MMAPABLE = 1 << 10 };
enum { BPF_F_USER_STACK = 1 << 8 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0, BPF_RB_RING_SIZE = 1 };

/* include/linux/sched.h: forked, and no exec since */
enum { PF_FORKNOEXEC = 0x40 };

/* arch/{x86,arm64}/include/uapi/asm/ptrace.h: the layout that programs see is fixed. */
struct user_regs {
#ifdef __TARGET_ARCH_arm64
    __u64 regs[31], sp, pc, pstate;
#else
    __u64 r15, r14, r13, r12, bp, bx;
    __u64 r11, r10, r9, r8, ax, cx, dx, si, di;
    __u64 orig_ax, ip, cs, flags, sp, ss;
#endif
};

/* include/uapi/asm-generic/bpf_perf_event.h */
struct bpf_perf_event_data {
    struct user_regs regs;
    __u64 sample_period, addr;
};

#ifndef __TARGET_ARCH_arm64
struct pt_regs;
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
    unsigned int inum;
};

struct pid_namespace {
    struct ns_common ns;
};

struct upid {
    int nr;
    struct pid_namespace *ns;
};

struct pid {
    unsigned int level;
    struct upid numbers[1];
};

struct mnt_namespace {
    struct ns_common ns;
};

struct nsproxy {
    struct mnt_namespace *mnt_ns;
};

struct mm_struct;
typedef struct {
    int counter;
} atomic_t;

struct signal_struct {
    atomic_t live; /* threads that have not begun to exit */
};

/* include/uapi/linux/bpf.h: the helpers that the running kernel may not have */
enum bpf_func_id {
    BPF_FUNC_task_pt_regs = 175,
};

#ifdef __TARGET_ARCH_arm64
/* arch/arm64/include/asm/ptrace.h: begins with struct user_regs */
struct pt_regs {
    __u64 pstate;
};

/* arch/arm64/include/asm/processor.h */
struct thread_struct {
    struct {
        unsigned long tp_value; /* the thread pointer of user space, at the last switch */
    } uw;
};
#define THREAD_POINTER thread.uw.tp_value
#else
/* arch/x86/include/asm/processor.h */
struct thread_struct {
    unsigned long fsbase; /* the thread pointer of user space */
};
#define THREAD_POINTER thread.fsbase
#endif

struct task_struct {
    void *stack;
    unsigned int flags;
    struct mm_struct *mm;
    struct task_struct *real_parent;
    struct task_struct *group_leader;
    struct pid *thread_pid;
    __u64 start_time;
    __u64 self_exec_id;
    char comm[16];
    struct nsproxy *nsproxy;
    struct thread_struct thread;
    struct signal_struct *signal;
};

#pragma clang attribute pop
