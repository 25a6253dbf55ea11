/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* record: what the BPF programs and the agent's user space share. */
#pragma once

#ifdef __bpf__
#include "agent/bpf/kernel.bpf.h"
#else
#include <linux/types.h>
#endif

enum {
    RECORD_COMM_SIZE = 16,
    RECORD_KERNEL_MAX = 127, /* frames: kernel.perf_event_max_stack's default */
    RECORD_USER_MAX = 127,
    RECORD_MNTNS_MAX = 8, /* mount namespaces a container may be spread over */
    RECORD_PIDS_MAX = 16384,
};

/* Whose samples are kept. */
enum record_scope {
    RECORD_SCOPE_ALL,   /* the kernel's cgroup filter has already chosen */
    RECORD_SCOPE_MNTNS, /* tasks whose mount namespace is one of a few */
    RECORD_SCOPE_PIDS,  /* a set of processes, and what they fork */
};

/* Why a user stack has no more frames. */
enum record_stop {
    RECORD_STOP_END,     /* the frame-pointer chain ended, at its root or where code has none */
    RECORD_STOP_FULL,    /* RECORD_USER_MAX frames, and there may be more */
    RECORD_STOP_NO_USER, /* a kernel thread, or user memory that could not be read */
};

enum record_flag {
    RECORD_FORKED = 1, /* runs the image of its parent: no exec since the fork */
};

/* n_kernel program counters of the kernel's, leaf first, then n_user, leaf first, follow it. */
struct record {
    __u64 time_ns; /* CLOCK_MONOTONIC */
    __u32 pid;     /* as the agent's PID namespace numbers it */
    __u32 tid;
    __u32 ppid;       /* 0 when the parent is outside that namespace */
    __u32 generation; /* grows when this pid gets another address space: exec, or pid reuse */
    __u16 n_kernel;
    __u16 n_user;
    __u8 stop;  /* enum record_stop */
    __u8 flags; /* enum record_flag */
    __u8 pad[2];
    char comm[RECORD_COMM_SIZE];        /* of the process */
    char thread_comm[RECORD_COMM_SIZE]; /* of the thread */
};

/* What was seen and could not be handed over; one set a CPU. */
struct record_counters {
    __u64 lost_full;    /* the ring buffer had no room */
    __u64 lost_exiting; /* the task has no pid any more */
    __u64 lost_pids;    /* a child could not be followed: the set of processes is full */
    __u64 forks;        /* children that joined the set */
};
