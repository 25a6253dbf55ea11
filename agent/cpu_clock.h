/* SPDX-License-Identifier: Apache-2.0 */
/* cpu_clock: the CPU time that this thread has used so far. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t cpu_clock_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
