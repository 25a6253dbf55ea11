/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/proc_maps.h"
#include "lib/fuzz/fuzz.h"

/* The path stays within the line, and what a frame is called is one short line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *line = (const char *)data;
    struct proc_map map;
    char path[64], name[32];

    if (memchr(data, '\0', size) || !proc_maps_parse_line(line, size, &map))
        return 0;
    assert(map.path_len == 0 || (map.path >= line && map.path + map.path_len <= line + size));
    if (proc_maps_path(&map, path, sizeof(path)))
        assert(strlen(path) <= map.path_len);
    proc_maps_display_name(&map, name, sizeof(name));
    assert(name[0] && strlen(name) < sizeof(name));
    return 0;
}
