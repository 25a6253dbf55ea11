/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorder: what tools that record a live process have in common: they keep what they read of its
 * memory, and stop its threads for a moment, which the agent itself never does.
 */
#pragma once

#include "agent/runtimes/tests/recorded_memory.h"

#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

static struct recorded_memory recorder_memory;

static inline bool recorder_peek(pid_t pid, uint64_t addr, void *to, size_t size)
{
    struct iovec here = { to, size }, there = { (void *)addr, size }; /* NOLINT: of the other one */

    return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* And keeps it. */
static inline bool recorder_read(pid_t pid, uint64_t addr, void *to, size_t size)
{
    if (!recorder_peek(pid, addr, to, size))
        return false;
    recorded_memory_keep(&recorder_memory, addr, to, size);
    return true;
}

static inline void recorder_go_on(pid_t thread)
{
    (void)ptrace(PTRACE_DETACH, thread, NULL, NULL); /* it may be gone */
}

/* False: it was not stopped. */
static inline bool recorder_stop(pid_t thread, struct user_regs_struct *ret_regs)
{
    if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) < 0)
        return false;
    if (ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0 &&
        waitpid(thread, NULL, __WALL) == thread &&
        ptrace(PTRACE_GETREGS, thread, NULL, ret_regs) == 0)
        return true;
    recorder_go_on(thread);
    return false;
}
