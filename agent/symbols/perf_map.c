/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/perf_map.h"

#include "agent/scan.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdbool.h>
#include <string.h>

enum { OVERLAPS_MAX = 1 << 24 }; /* lines that cover many addresses may not cost without end */

struct entry {
    uint64_t start, end;
    struct scan name;
};

static bool take_number(struct scan *s, uint64_t *ret)
{
    if (s->len > 2 && s->at[0] == '0' && (s->at[1] == 'x' || s->at[1] == 'X'))
        scan_skip(s, 2);
    return scan_take_hex(s, ret);
}

static bool parse_line(const char *line, size_t len, struct entry *ret)
{
    struct scan rest = { line, len };
    uint64_t size;

    if (!take_number(&rest, &ret->start) || !scan_take_char(&rest, ' ') ||
        !take_number(&rest, &size) || !scan_take_char(&rest, ' ') || size == 0 ||
        __builtin_add_overflow(ret->start, size, &ret->end))
        return false;
    while (rest.len > 0 && (rest.at[rest.len - 1] == '\n' || rest.at[rest.len - 1] == '\r'))
        rest.len--;
    ret->name = rest;
    return rest.len > 0;
}

static void apply(const struct entry *entry, struct perf_map_query *queries, size_t n,
                  size_t *overlaps)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (queries[middle].addr < entry->start)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < n && queries[low].addr < entry->end && *overlaps < OVERLAPS_MAX; low++) {
        (*overlaps)++;
        free(queries[low].name);
        queries[low].name = mem_strndup(entry->name.at, entry->name.len);
    }
}

void perf_map_name(FILE *in, struct perf_map_query *queries, size_t n_queries)
{
    char line[PERF_MAP_NAME_MAX + 64];
    bool continued = false; /* the rest of a line that was too long */
    size_t bytes = 0, overlaps = 0;
    struct entry entry;

    while (bytes < PERF_MAP_BYTES_MAX && fgets(line, sizeof(line), in)) {
        size_t len = strlen(line);
        bool whole = len > 0 && line[len - 1] == '\n';

        bytes += len + 1;
        if (!continued && parse_line(line, len, &entry))
            apply(&entry, queries, n_queries, &overlaps);
        continued = !whole;
    }
}
