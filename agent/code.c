/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/code.h"

#include "agent/proc_maps.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 8192 /* numbers and an escaped path; of longer ones the path is cut */ };

/* False: there are no more. */
static bool read_line(FILE *maps, char *line, size_t *ret_len)
{
    if (!fgets(line, LINE_MAX_BYTES, maps))
        return false;
    *ret_len = strcspn(line, "\n");
    if (line[*ret_len] == '\0') {
        for (int c = getc(maps); c != '\n' && c != EOF;)
            c = getc(maps);
    }
    return true;
}

/* Memory that JITs allocate piece by piece, and pieces of a file that lie in its order, are one. */
static bool continues(const struct code *last, const struct code *next)
{
    return last->end == next->start && last->image == next->image &&
           (next->image == IMAGE_NONE || last->off + (last->end - last->start) == next->off);
}

static void add(struct code_list *list, const struct code *code)
{
    size_t n = list->n;

    if (n > 0 && continues(&list->items[n - 1], code)) {
        list->items[n - 1].end = code->end;
        return;
    }
    if (n == CODE_MAX) {
        list->is_cut = true;
        return;
    }
    if ((n & (n - 1)) == 0)
        list->items = mem_grow(list->items, n ? n * 2 : 1, sizeof(*list->items));
    list->items[list->n++] = *code;
}

/* Room behind code that was made at run time will hold more of it. */
static bool is_room(const struct code_list *list, const struct proc_map *map)
{
    const struct code *last = list->n > 0 ? &list->items[list->n - 1] : NULL;

    return map->reserved && map->inode == 0 && last && last->image == IMAGE_NONE &&
           last->end == map->start;
}

bool code_read(pid_t pid, struct images *images, struct code_list *ret_list)
{
    _cleanup_free_ char *line = mem_alloc(LINE_MAX_BYTES);
    struct code_list list = { 0 };
    struct proc_map map;
    char path[64];
    size_t n_lines = 0, len;

    (void)snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    _cleanup_fclose_ FILE *maps = fopen(path, "re");
    if (!maps)
        return false;
    for (; n_lines < CODE_LINES_MAX && !list.is_cut && read_line(maps, line, &len); n_lines++) {
        if (!proc_maps_parse_line(line, len, &map) || (!map.executable && !is_room(&list, &map)))
            continue;

        struct code code = { .start = map.start, .end = map.end, .image = IMAGE_NONE };

        if (list.n < CODE_MAX)
            code.image = images_add(images, pid, &map);
        code.off = code.image == IMAGE_NONE ? 0 : map.off;
        add(&list, &code);
    }
    list.is_cut = list.is_cut || n_lines == CODE_LINES_MAX;
    if (list.n == 0)
        return false;
    *ret_list = list;
    return true;
}

void code_list_release(struct code_list *list)
{
    free(list->items);
    *list = (struct code_list){ 0 };
}

const struct code *code_find(const struct code *items, size_t n, uint64_t addr)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (items[middle].end <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && items[low].start <= addr ? &items[low] : NULL;
}
