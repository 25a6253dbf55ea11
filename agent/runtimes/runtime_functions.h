/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime_functions: the functions that the kernel side met, and which of them a frame runs.
 *
 * A function is read once, when its first sample arrives, and has a number. Memory and time are
 * bounded; what is past a bound, or was gone before it could be read, has no name.
 */
#pragma once

#include "agent/runtimes/reading.h"
#include "agent/runtimes/runtimes.h"

/* Where a function is read: a process that runs the language. */
struct runtime_place {
    pid_t pid;
    void *data; /* of the process, as its runtime_kind has it; NULL: it cannot be read */
};

struct runtime_functions;
struct runtime_functions *runtime_functions_new(struct reading *reading); /* borrows it */
void runtime_functions_free(struct runtime_functions *functions);         /* NULL is fine */

/* As runtimes_begin_stack(). */
void runtime_functions_begin_stack(struct runtime_functions *functions);

/* As runtimes_place(); the frame is of the language that runs at @place. */
size_t runtime_functions_find(struct runtime_functions *functions, uint64_t number,
                              const struct runtime_place *place, const struct runtime_frame *frame,
                              uint64_t pc, struct runtimes_call ret_calls[RUNTIME_CALLS_MAX]);

/* As runtimes_name(). */
char *runtime_functions_name(const struct runtime_functions *functions, uint32_t function,
                             uint32_t line, bool *ret_known);
