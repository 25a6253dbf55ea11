/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile: samples in while the run lasts, a flame graph of named frames out at its end.
 *
 * A stack is: the process as "comm (pid)"; the thread, when it has a name of its own; the user
 * frames from the root; the kernel frames from the system call. Threads of one process that have
 * the same name are one frame, so that a pool's workers, and those that live shortly, are shown as
 * what they are together. Every sample that was handed in is in the flame graph or counted as lost.
 */
#pragma once

#include "agent/bpf/record.h"
#include "agent/flame/flame.h"
#include "agent/unwind/unwind_tables.h"
#include "lib/podflame/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct profile;
struct profile *profile_new(void);
void profile_free(struct profile *profile); /* NULL is fine */

/* Before the first sample: reads what is needed to unwind the stacks of these processes. */
void profile_expect(struct profile *profile, const pid_t *pids, size_t n, uint64_t now_ns);

/* What the sampler has to be given; owned by the profile. */
struct unwind_tables *profile_tables(struct profile *profile);

struct runtimes *profile_runtimes(struct profile *profile); /* the same */

/* A sample, or what became of a process. @pcs: as sampler_fn has them. */
void profile_add(struct profile *profile, const struct record *record, const uint64_t *pcs);

/* Does what was put off, to be called a few times a second, and when it says that there is more to
 * do: the time of the next call, CLOCK_MONOTONIC; UINT64_MAX: none is needed. */
uint64_t profile_work(struct profile *profile, uint64_t now_ns);

/* False: the target causes more events than the agent should follow at once. */
bool profile_may_hurry(struct profile *profile, uint64_t now_ns);

int64_t profile_samples(const struct profile *profile);
int64_t profile_first_sample_ns(const struct profile *profile); /* CLOCK_MONOTONIC; 0: none */

/*
 * Names the frames and builds the flame graph, owned by the caller. Fills samples, truncated,
 * unknown, processes, runtimes and the notes of what was met here, and adds to its lost.
 */
struct flame *profile_finish(struct profile *profile, struct result_profile *ret_result);
