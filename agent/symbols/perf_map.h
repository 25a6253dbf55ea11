/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perf_map: names of code that a process made at run time, from its /tmp/perf-PID.map.
 *
 * Lines are "start size name", numbers in hexadecimal with or without 0x, in the order of writing:
 * where lines overlap the last one holds, for code gets replaced. The file is the target's: lines
 * that do not parse are skipped, names are cut, and it ends at a NUL. There may be as many files as
 * processes: what is read of all of them is bounded.
 */
#pragma once

#include "agent/symbols/name_chain.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    PERF_MAP_NAME_MAX = 1024,
    PERF_MAPS_BYTES_MAX = 256 << 20,
    PERF_MAPS_OVERLAPS_MAX = 1 << 24, /* addresses that lines cover, those of each line counted */
};

/* What is left for a run. */
struct perf_map_room {
    size_t bytes, overlaps;
};

struct perf_map_query {
    uint64_t addr;
    char *name; /* out: owned by the caller; stays NULL when no line covers addr */
};

/* Reads perf map text from @in to its end, or as far as there is room. @queries are sorted by addr.
 * False: there is no more room. */
bool perf_map_name(FILE *in, struct perf_map_query *queries, size_t n_queries,
                   struct perf_map_room *room, struct name_room *names);
