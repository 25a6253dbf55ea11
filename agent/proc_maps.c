/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/proc_maps.h"

#include "agent/scan.h"

#include <string.h>

static const char DELETED[] = " (deleted)";

bool proc_maps_parse_line(const char *line, size_t len, struct proc_map *ret_map)
{
    struct scan rest = { line, len };
    struct proc_map map = { 0 };
    uint64_t major, minor;

    if (!scan_take_hex(&rest, &map.start) || !scan_take_char(&rest, '-') ||
        !scan_take_hex(&rest, &map.end) || !scan_take_char(&rest, ' ') || map.end <= map.start)
        return false;
    if (rest.len < 5 || rest.at[4] != ' ')
        return false;
    map.executable = rest.at[2] == 'x';
    map.reserved = memcmp(rest.at, "---", 3) == 0;
    scan_skip(&rest, 5);
    if (!scan_take_hex(&rest, &map.off) || !scan_take_char(&rest, ' ') ||
        !scan_take_hex(&rest, &major) || !scan_take_char(&rest, ':') ||
        !scan_take_hex(&rest, &minor) || !scan_take_char(&rest, ' ') ||
        !scan_take_dec(&rest, &map.inode) || major > UINT32_MAX || minor > UINT32_MAX)
        return false;
    if (rest.len > 0 && *rest.at != ' ')
        return false;
    while (scan_take_char(&rest, ' '))
        ;
    map.dev_major = (uint32_t)major;
    map.dev_minor = (uint32_t)minor;
    map.path = rest.at;
    map.path_len = rest.len;
    *ret_map = map;
    return true;
}

bool proc_maps_path(const struct proc_map *map, char *path, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < map->path_len;) {
        char c = map->path[i];

        if (n + 1 >= size)
            return false;
        if (map->path_len - i >= 4 && memcmp(map->path + i, "\\012", 4) == 0) {
            c = '\n';
            i += 4;
        } else {
            i++;
        }
        path[n++] = c;
    }
    path[n] = '\0';
    return true;
}

void proc_maps_display_name(const struct proc_map *map, char *name, size_t size)
{
    const char *from = map->path;
    size_t len = map->path_len;
    size_t deleted = sizeof(DELETED) - 1;

    if (len > deleted && memcmp(from + len - deleted, DELETED, deleted) == 0)
        len -= deleted;
    if (len > 0 && *from != '[') {
        const char *slash = memrchr(from, '/', len);

        if (slash) {
            len -= (size_t)(slash + 1 - from);
            from = slash + 1;
        }
    }
    if (len > 1 && *from == '[' && from[len - 1] == ']') { /* the frame adds its own brackets */
        from++;
        len -= 2;
    }
    if (len == 0) {
        from = "anon";
        len = 4;
    }
    if (len >= size)
        len = size - 1;
    memcpy(name, from, len);
    name[len] = '\0';
}
