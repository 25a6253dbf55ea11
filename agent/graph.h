/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph: stacks of places and the names of these in, a flame graph out. Pure.
 */
#pragma once

#include "agent/bpf/record.h"
#include "agent/flame/flame.h"
#include "agent/process.h"
#include "agent/runtimes/runtimes.h"
#include "agent/stacks.h"
#include "agent/symbols/names.h"
#include "lib/podflame/result.h"

/* Beside enum record_stop in a stack's cut. */
enum {
    GRAPH_NO_ROOM = RECORD_STOP_COUNT, /* there were too many different stacks to keep this one */
    GRAPH_BY_POINTERS = 0x100,         /* a flag: found by frame pointers */
};

/* Owned by the caller. Fills truncated, unknown, runtimes and their notes of @result. */
struct flame *graph_build(const struct stacks *stacks, const struct processes *processes,
                          const struct names *names, const struct runtimes *runtimes,
                          struct result_profile *result);
