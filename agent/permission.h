/* SPDX-License-Identifier: Apache-2.0 */
/*
 * permission: turns "Operation not permitted" into the name of what is missing.
 *
 * The kernel answers EPERM alike for a missing capability, a seccomp profile, a sysctl and
 * lockdown; what this process has is in /proc/self/status, and what is left by exclusion is named.
 */
#pragma once

#include "lib/err.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum permission {
    PERMISSION_BPF,    /* load programs and maps */
    PERMISSION_PERF,   /* perf events of every CPU, and programs that read kernel memory */
    PERMISSION_PTRACE, /* what /proc/PID holds of a process with other credentials */
};

/* True for the errno values that speak of permission. */
static inline bool permission_is(int code)
{
    return code == -EPERM || code == -EACCES;
}

/* Sets @e: "<doing>: <errno>: <what is missing, and how to give it>"; returns @code. */
int permission_explain(enum permission need, int code, const char *doing, struct err *e);

/* What the advice depends on. */
struct permission_facts {
    uint64_t effective;   /* capabilities, a bit each */
    const char *paranoid; /* /proc/sys/kernel/perf_event_paranoid, "" when it cannot be read */
    const char *lockdown; /* /sys/kernel/security/lockdown, the same */
    const char *kernel;   /* its release, as uname -r prints it */
    uint64_t memlock;     /* RLIMIT_MEMLOCK in bytes; UINT64_MAX: none */
};

/* The pure half. */
void permission_advice(enum permission need, const struct permission_facts *facts, char *text,
                       size_t size);
