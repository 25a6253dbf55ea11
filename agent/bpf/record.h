/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* record: what the BPF programs and the agent's user space share. */
#pragma once

#include "agent/bpf/process_image.h"
#include "agent/bpf/unwind_table.h"

enum {
    RECORD_COMM_SIZE = 16,
    RECORD_KERNEL_MAX = 127, /* frames: kernel.perf_event_max_stack's default */
    RECORD_USER_MAX = 1800,  /* a record with all frames is the most that a map of each CPU holds */
    RECORD_RUNTIME_MAX = 1024, /* frames of a language with a runtime */
    RECORD_MNTNS_MAX = 8,      /* mount namespaces a container may be spread over */
    RECORD_PIDS_MAX = 16384,
    RECORD_STACK_PAGES = 3,
    RECORD_PAGE_WORDS = 512,
};

/* Whose samples are kept. */
enum record_scope {
    RECORD_SCOPE_CGROUP, /* the tasks of a cgroup v2, which the sampling clock alone counts */
    RECORD_SCOPE_MNTNS,  /* tasks whose mount namespace is one of a few */
    RECORD_SCOPE_PIDS,   /* a set of processes, and what they fork */
};

enum record_kind {
    RECORD_SAMPLE,
    RECORD_EXEC, /* the process runs another image from now on; told of every process in scope */
    RECORD_EXIT, /* its last thread ends; told of processes that user space knows */
};

/* Why a user stack has no more frames. */
enum record_stop {
    RECORD_STOP_END,     /* nobody called the last frame */
    RECORD_STOP_FULL,    /* as many frames as there is room for, and there may be more */
    RECORD_STOP_NO_USER, /* a kernel thread, or user memory that could not be read at all */
    RECORD_STOP_NO_CODE, /* the last address is in no code that is known */
    RECORD_STOP_NO_RULE, /* nothing says how to find the caller of the last frame */
    RECORD_STOP_NO_READ, /* the stack could not be read there, or leads back */
    RECORD_STOP_COSTLY,  /* to go on would take longer than one sample may */
    RECORD_STOP_COUNT,
};

enum record_flag {
    RECORD_FORKED = 1,         /* runs the image of its parent: no exec since the fork */
    RECORD_FRAME_POINTERS = 2, /* no tables were at hand: the kernel followed frame pointers */
    RECORD_HURRY = 4,          /* user space should look at the process before it is gone */
    /* Frames of a language are missing, as enum record_stop says it of native ones. */
    RECORD_RUNTIME_FULL = 8,
    RECORD_RUNTIME_NO_READ = 16,
    RECORD_RUNTIME_COSTLY = 32,
};

/* n_kernel program counters of the kernel's, leaf first, then n_user, leaf first, follow it; then
 * n_runtime frames of two words (struct runtime_frame), leaf first; then, when n_stack is not 0,
 * struct record_stack. Only samples have them. */
struct record {
    __u64 time_ns; /* CLOCK_MONOTONIC */
    struct process_image image;
    __u64 thread; /* what it calls itself: its thread pointer */
    __u32 pid;    /* as the agent's PID namespace numbers it */
    __u32 tid;
    __u32 ppid; /* 0 when the parent is outside that namespace */
    __u16 n_kernel;
    __u16 n_user;
    __u8 kind;  /* enum record_kind */
    __u8 stop;  /* enum record_stop */
    __u8 flags; /* enum record_flag */
    __u8 pad;
    __u16 n_runtime;
    __u16 n_stack;
    char comm[RECORD_COMM_SIZE];        /* of the process */
    char thread_comm[RECORD_COMM_SIZE]; /* of the thread */
};

/* Of a stack that led to code which the tables do not hold (yet): what user space needs to walk it
 * once it knows more. n_stack words of the stack follow, from the stack pointer up. */
struct record_stack {
    __u64 pc;
    __u64 regs[UNWIND_REGS]; /* by DWARF's numbers */
};

enum { RECORD_STACK_HEAD = sizeof(struct record_stack) / sizeof(__u64) };

/* How many words follow the record. */
static inline __u64 record_words(const struct record *r)
{
    return (__u64)r->n_kernel + r->n_user + 2 * (__u64)r->n_runtime +
           (r->n_stack ? (__u64)RECORD_STACK_HEAD + r->n_stack : 0);
}

/* What was seen and could not be handed over; one set a CPU. */
struct record_counters {
    __u64 lost_full;    /* samples: the ring buffer had no room */
    __u64 lost_events;  /* other records: the same */
    __u64 lost_exiting; /* the task has no pid any more */
    __u64 lost_pids;    /* children that could not be followed: a set of processes is full */
};
