/* SPDX-License-Identifier: Apache-2.0 */
/*
 * perf_map: names of code that a process made at run time, from its /tmp/perf-PID.map.
 *
 * Lines are "start size name", numbers in hexadecimal with or without 0x, in the order of writing:
 * where lines overlap the last one holds, for code gets replaced. The file is the target's: lines
 * that do not parse are skipped, names are cut, and only PERF_MAP_BYTES_MAX are read.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { PERF_MAP_NAME_MAX = 1024, PERF_MAP_BYTES_MAX = 256 << 20 };

struct perf_map_query {
    uint64_t addr;
    char *name; /* out: owned by the caller; stays NULL when no line covers addr */
};

/* Reads perf map text from @in to its end. @queries are sorted by addr. */
void perf_map_name(FILE *in, struct perf_map_query *queries, size_t n_queries);
