/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile: samples in while the run lasts, a flame graph of named frames out at its end.
 *
 * A stack is: the process as "comm (pid)", the user frames from the root, the kernel frames from
 * the system call. Every sample that was handed in is in the flame graph or counted as lost.
 */
#pragma once

#include "agent/bpf/record.h"
#include "agent/flame/flame.h"
#include "agent/unwind_tables.h"
#include "lib/podflame/result.h"

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

struct python *profile_python(struct profile *profile); /* the same */

/* @pcs: as sampler_fn has them. */
void profile_add(struct profile *profile, const struct record *record, const uint64_t *pcs);

int64_t profile_samples(const struct profile *profile);

/*
 * Names the frames and builds the flame graph, owned by the caller. Fills samples, truncated,
 * unknown, processes and runtimes of *ret_result, and adds to its lost.
 */
struct flame *profile_finish(struct profile *profile, struct result_profile *ret_result);
