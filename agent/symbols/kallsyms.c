/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/kallsyms.h"

#include "agent/scan.h"

#include <string.h>

struct symbol {
    uint64_t addr;
    struct scan name;
};

/* "ffffffff81000000 T name\t[module]"; only code is of interest. */
static bool parse_line(const char *line, size_t len, struct symbol *ret)
{
    struct scan rest = { line, len };

    if (!scan_take_hex(&rest, &ret->addr) || !scan_take_char(&rest, ' ') || rest.len < 3 ||
        !strchr("tTwW", rest.at[0]) || rest.at[1] != ' ')
        return false;
    scan_skip(&rest, 2);

    size_t n = 0;

    while (n < rest.len && rest.at[n] != '\t' && rest.at[n] != '\n')
        n++;
    ret->name = (struct scan){ rest.at, n < KALLSYMS_NAME_MAX ? n : KALLSYMS_NAME_MAX - 1 };
    return n > 0;
}

/* Remembers the symbol at the first query that it may name; those above are looked after at the
 * end. */
static void consider(const struct symbol *s, struct kallsyms_query *queries, size_t n)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (queries[middle].addr < s->addr)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == n || s->addr <= queries[low].start)
        return;
    queries[low].start = s->addr;
    memcpy(queries[low].name, s->name.at, s->name.len);
    queries[low].name[s->name.len] = '\0';
}

bool kallsyms_name(FILE *in, struct kallsyms_query *queries, size_t n_queries)
{
    struct symbol s;
    bool shown = false;
    char line[1024];

    while (fgets(line, sizeof(line), in)) {
        if (!parse_line(line, strlen(line), &s) || s.addr == 0)
            continue;
        shown = true;
        consider(&s, queries, n_queries);
    }
    for (size_t i = 1; i < n_queries; i++) {
        if (queries[i].start < queries[i - 1].start) {
            queries[i].start = queries[i - 1].start;
            memcpy(queries[i].name, queries[i - 1].name, KALLSYMS_NAME_MAX);
        }
    }
    return shown;
}
