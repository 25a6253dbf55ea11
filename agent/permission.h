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

/* The pure half: the advice for a process whose effective capabilities are @effective. */
void permission_advice(enum permission need, uint64_t effective, const char *paranoid,
                       const char *lockdown, char *text, size_t size);
