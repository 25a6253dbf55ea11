/* SPDX-License-Identifier: Apache-2.0 */
/*
 * python_thread: what Python code calls a thread (threading.Thread.name). Before 3.14 CPython does
 * not tell the kernel, since then it tells 15 bytes of it.
 *
 * Read from the target's memory while the thread lives: sys.modules["threading"]._active leads from
 * the thread's id to its Thread, which has to hold the thread's number also, for ids are used
 * again. All that is read is bounded; types that do not fit end it.
 */
#pragma once

#include "agent/runtimes/python/python_layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PYTHON_INTERPRETERS_MAX = 16, /* of a process, whose threads have names */
    PYTHON_THREAD_NAME_MAX = 63,  /* characters; more is cut */
    PYTHON_ENTRIES_MAX = 1 << 14, /* of a dictionary that is searched */
};

/* What is remembered of a process, all zero at first. */
struct python_threads {
    struct {
        uint64_t interpreter;
        uint64_t active; /* its threading._active; 0: not found yet */
        uint32_t n_searches;
    } known[PYTHON_INTERPRETERS_MAX];
};

/* @interpreters: the runtime address of the pointer to the first one; @id: as pthread_self() gives
 * it; @number: the thread's, in its own PID namespace. Owned by the caller; NULL: none is known. */
char *python_thread_name(pid_t pid, const struct python_offsets *offsets, uint64_t interpreters,
                         struct python_threads *threads, uint64_t id, pid_t number);
