/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/perf_map.h"

#include "agent/scan.h"
#include "lib/mem.h"

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
    while (rest.len > 0 && rest.at[rest.len - 1] == '\r')
        rest.len--;
    ret->name = rest;
    return rest.len > 0;
}

static void apply(const struct entry *entry, struct perf_map_query *queries, size_t n,
                  struct perf_map_room *room, struct name_room *names)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (queries[middle].addr < entry->start)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < n && queries[low].addr < entry->end && room->overlaps > 0; low++) {
        room->overlaps--;
        name_room_give_back(names, queries[low].name);
        queries[low].name = name_room_take(names, mem_strndup(entry->name.at, entry->name.len));
    }
}

/* 0 where the text ends: with the file, at the bound, or at a NUL, of which a sparse file has any
 * number. */
static int next_char(FILE *in, struct perf_map_room *room)
{
    int c = room->bytes > 0 ? getc_unlocked(in) : 0;

    if (c <= 0)
        return 0;
    room->bytes--;
    return c;
}

bool perf_map_name(FILE *in, struct perf_map_query *queries, size_t n_queries,
                   struct perf_map_room *room, struct name_room *names)
{
    char line[PERF_MAP_NAME_MAX + 64] = "";
    struct entry entry;

    for (int c = 1; c != 0;) {
        size_t len = 0;

        while ((c = next_char(in, room)) != 0 && c != '\n') {
            if (len < sizeof(line)) /* the rest of a line that is too long is dropped */
                line[len++] = (char)c;
        }
        if (parse_line(line, len, &entry))
            apply(&entry, queries, n_queries, room, names);
    }
    return room->bytes > 0 && room->overlaps > 0;
}
