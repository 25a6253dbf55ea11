/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox: runs libraries that were not written for hostile input on hostile input, in a forked
 * child that can do nothing but compute.
 *
 * The child has no capability and cannot get any, no descriptor but those it was given, bounded
 * memory and CPU time, and a seccomp filter (Documentation/userspace-api/seccomp_filter.rst) that
 * leaves it reading, allocating, and writing its answers; every other system call fails with EPERM.
 * A crash, a hang or an exploit ends there: what it answered before stays, the rest is missing.
 *
 * Answers are numbered runs of bytes, and as hostile as what they were made from. Starting one
 * needs a process with a single thread.
 */
#pragma once

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SANDBOX_ANSWER_MAX = 1 << 16, SANDBOX_BUFFER_SIZE = 2 * SANDBOX_ANSWER_MAX };

struct sandbox_limits {
    size_t memory;       /* bytes of heap; mapped files do not count */
    int64_t cpu_ms;      /* then it is killed; sandbox_more_time() starts over */
    int64_t deadline_ms; /* of the wall clock, from the start until sandbox_next() gives up */
};

struct sandbox {
    pid_t pid;
    int fd; /* the answers come here */
    int64_t end_ms;
    bool is_done;         /* it said so, after its last answer */
    unsigned char *bytes; /* owned, SANDBOX_BUFFER_SIZE: received, not yet taken from @at on */
    size_t at, n;
};

/* In the child, whose memory is a copy of the parent's: does the work, and answers by
 * sandbox_answer(). */
typedef void (*sandbox_fn)(void *arg, int out);

/* @files: the descriptors that the child keeps, sorted. */
int sandbox_start(sandbox_fn work, void *arg, const int *files, size_t n_files,
                  const struct sandbox_limits *limits, struct sandbox *ret_sandbox,
                  struct err *e) WARN_UNUSED;

void sandbox_answer(int out, uint32_t number, const void *bytes, size_t len);
void sandbox_more_time(int64_t cpu_ms);

struct sandbox_answer {
    uint32_t number;
    size_t len;
    const unsigned char *bytes; /* borrowed until the next call */
};

/* The next answer. False: there is no more, for whatever reason. */
bool sandbox_next(struct sandbox *sandbox, struct sandbox_answer *ret_answer);

/* Ends the child if it still lives. True: it did all of its work, and sandbox_next() has returned
 * every answer. Safe on a zeroed one. */
bool sandbox_close(struct sandbox *sandbox);
