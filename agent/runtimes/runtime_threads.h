/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_threads: remembers what languages call threads. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { RUNTIME_THREADS_MAX = 1 << 14 }; /* past it, all are forgotten */

struct runtime_threads;
struct runtime_threads *runtime_threads_new(void);
void runtime_threads_free(struct runtime_threads *threads); /* NULL is fine */

/*
 * Where the name of a thread is, owned by @threads, or to be put: NULL as long as it is not known.
 * Valid until the next call. @number: of the image that its process runs; @id: its thread pointer.
 * *ret_is_due: it may be asked for; a thread that has just begun may have its name a little later,
 * so that is with the first call, the second, the fourth and so on.
 */
char **runtime_threads_at(struct runtime_threads *threads, uint64_t number, pid_t tid, uint64_t id,
                          bool *ret_is_due);
