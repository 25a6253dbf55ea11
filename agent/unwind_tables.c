/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind_tables.h"

#include "agent/hash.h"
#include "agent/unwind_image.h"
#include "agent/unwind_rules.h"
#include "lib/mem.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROOM_MIN = 1 << 18 };

/* The rows of an image, once it was looked at. */
struct table {
    struct unwind_segment *segments; /* owned */
    size_t n_segments;
    uint64_t range_start; /* vaddr of the rows' address 0 */
    uint32_t first_row, n_rows;
    bool was_read, is_go;
};

/* Mappings that lie together; processes that have the same ones share them. */
struct slice {
    uint64_t hash; /* key */
    uint32_t first, n, room, n_users;
    UT_hash_handle hh;
};

struct space {
    int32_t pid; /* key; with pad 8 bytes, for the hash's sake */
    uint32_t pad;
    uint32_t generation;
    struct slice *slice;
    UT_hash_handle hh;
};

struct unwind_tables {
    struct images *images;
    struct unwind_row *rows;
    struct unwind_rule *all_rules;
    struct unwind_mapping *mappings;
    uint32_t n_rows, rows_max; /* of rows */
    uint32_t n_mappings;
    struct unwind_rules rules;
    struct slice *slices;
    struct space *spaces;
    int spaces_fd;    /* -1 before the hand-over */
    bool is_attached; /* the arrays are mapped */
    uint32_t left_out;
    struct table tables[IMAGES_MAX];
};

struct unwind_tables *unwind_tables_new(struct images *images)
{
    struct unwind_tables *t = mem_zalloc(sizeof(*t));

    t->images = images;
    t->spaces_fd = -1;
    t->all_rules = mem_array(UNWIND_RULES_MAX, sizeof(*t->all_rules));
    t->mappings = mem_array(UNWIND_MAPPINGS_MAX, sizeof(*t->mappings));
    unwind_rules_init(&t->rules, t->all_rules);
    return t;
}

/* The kernel rounds the sizes of an array's values up to 8 bytes, which all of ours are. */
static size_t mapped_size(size_t n, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (n * size + page - 1) / page * page;
}

static void free_arrays(struct unwind_tables *t)
{
    if (t->is_attached) {
        (void)munmap(t->rows, mapped_size(t->rows_max, sizeof(*t->rows)));
        (void)munmap(t->all_rules, mapped_size(UNWIND_RULES_MAX, sizeof(*t->all_rules)));
        (void)munmap(t->mappings, mapped_size(UNWIND_MAPPINGS_MAX, sizeof(*t->mappings)));
    } else {
        free(t->rows);
        free(t->all_rules);
        free(t->mappings);
    }
}

void unwind_tables_free(struct unwind_tables *t)
{
    struct slice *slice, *next_slice;
    struct space *space, *next_space;

    if (!t)
        return;
    HASH_ITER (hh, t->spaces, space, next_space) {
        HASH_DEL(t->spaces, space);
        free(space);
    }
    HASH_ITER (hh, t->slices, slice, next_slice) {
        HASH_DEL(t->slices, slice);
        free(slice);
    }
    for (size_t i = 0; i < IMAGES_MAX; i++)
        free(t->tables[i].segments);
    free_arrays(t);
    free(t);
}

static bool make_room(struct unwind_tables *t, size_t n)
{
    if (n <= t->rows_max - t->n_rows)
        return true;
    if (t->is_attached || n > UNWIND_ROWS_MAX - t->n_rows)
        return false;
    t->rows_max = t->n_rows + (uint32_t)n;
    t->rows = mem_grow(t->rows, t->rows_max, sizeof(*t->rows));
    return true;
}

static void read_table(struct unwind_tables *t, int fd, struct table *table)
{
    struct unwind_image image = { 0 };
    struct err ignored = { 0 };

    if (unwind_image_read(fd, &t->rules, &image, &ignored) < 0)
        return; /* not code of ours: frame pointers are all that there is */
    table->segments = mem_array(image.n_segments, sizeof(*table->segments));
    memcpy(table->segments, image.segments, image.n_segments * sizeof(*table->segments));
    table->n_segments = image.n_segments;
    table->range_start = image.range.start;
    table->is_go = image.is_go;
    table->first_row = t->n_rows;
    if (image.table.n_rows > 0 && make_room(t, image.table.n_rows)) {
        memcpy(t->rows + t->n_rows, image.table.rows, image.table.n_rows * sizeof(*t->rows));
        table->n_rows = (uint32_t)image.table.n_rows;
        t->n_rows += table->n_rows;
    }
    t->left_out += table->n_rows < image.table.n_rows || image.table.is_full;
    unwind_image_release(&image);
}

static struct unwind_mapping make_mapping(struct unwind_tables *t, const struct unwind_code *code)
{
    struct unwind_mapping m = { .start = code->start, .end = code->end };
    uint64_t vaddr;

    if (code->image == IMAGE_NONE)
        return m;

    const struct image *image = images_get(t->images, code->image);
    struct table *table = &t->tables[code->image];

    if (!table->was_read && image->fd >= 0)
        read_table(t, image->fd, table);
    table->was_read = true;
    m.flags = table->is_go || image->elf.has_go ? UNWIND_SWITCHES_STACKS : 0;
    if (unwind_segments_vaddr(table->segments, table->n_segments, code->off, &vaddr)) {
        m.base = code->start - vaddr + table->range_start;
        m.first_row = table->first_row;
        m.n_rows = table->n_rows;
    }
    return m;
}

static bool holds(const struct unwind_tables *t, const struct slice *slice,
                  const struct unwind_mapping *mappings, size_t n)
{
    return slice->n == n &&
           memcmp(t->mappings + slice->first, mappings, n * sizeof(*mappings)) == 0;
}

static struct slice *new_slice(struct unwind_tables *t, size_t n)
{
    uint32_t room = 8;
    struct slice *slice;

    while (room < n)
        room *= 2;
    if (room > UNWIND_MAPPINGS_MAX - t->n_mappings)
        return NULL;
    slice = mem_zalloc(sizeof(*slice));
    slice->first = t->n_mappings;
    slice->room = room;
    t->n_mappings += room;
    return slice;
}

/* The slice that @space used is written over when nobody else uses it. */
static struct slice *write_slice(struct unwind_tables *t, struct slice *used,
                                 const struct unwind_mapping *mappings, size_t n)
{
    uint64_t hash = hash_bytes(mappings, n * sizeof(*mappings));
    struct slice *slice;

    HASH_FIND(hh, t->slices, &hash, sizeof(hash), slice);
    if (slice && holds(t, slice, mappings, n))
        return slice;
    if (slice)
        hash = UINT64_MAX - t->n_mappings; /* the same hash by chance: a key that is not shared */
    slice = used && used->n_users == 1 && used->room >= n ? used : NULL;
    if (slice)
        HASH_DEL(t->slices, slice);
    else
        slice = new_slice(t, n);
    if (!slice)
        return NULL;
    memcpy(t->mappings + slice->first, mappings, n * sizeof(*mappings));
    slice->n = (uint32_t)n;
    slice->hash = hash;
    HASH_ADD(hh, t->slices, hash, sizeof(hash), slice);
    return slice;
}

static struct unwind_space to_value(const struct space *space)
{
    return (struct unwind_space){ .first = space->slice->first,
                                  .n = space->slice->n,
                                  .generation = space->generation };
}

static void publish(struct unwind_tables *t, const struct space *space)
{
    struct unwind_space value = to_value(space);

    if (t->spaces_fd >= 0 && bpf_map_update_elem(t->spaces_fd, &space->pid, &value, BPF_ANY) < 0)
        t->left_out++;
}

void unwind_tables_put(struct unwind_tables *t, pid_t pid, uint32_t generation,
                       const struct unwind_code *code, size_t n)
{
    struct unwind_mapping *mappings = mem_array(n, sizeof(*mappings));
    struct space key = { .pid = pid }, *space;
    struct slice *slice;

    for (size_t i = 0; i < n; i++)
        mappings[i] = make_mapping(t, &code[i]);
    HASH_FIND(hh, t->spaces, &key.pid, sizeof(uint64_t), space);
    slice = write_slice(t, space ? space->slice : NULL, mappings, n);
    free(mappings);
    if (!slice) {
        t->left_out++;
        return;
    }
    if (!space) {
        space = mem_zalloc(sizeof(*space));
        space->pid = pid;
        HASH_ADD(hh, t->spaces, pid, sizeof(uint64_t), space);
    }
    if (space->slice != slice) {
        if (space->slice)
            space->slice->n_users--;
        slice->n_users++;
    }
    space->slice = slice;
    space->generation = generation;
    publish(t, space);
}

uint32_t unwind_tables_room(const struct unwind_tables *t)
{
    uint32_t spare = t->n_rows / 4 < ROOM_MIN ? ROOM_MIN : t->n_rows / 4;

    return t->n_rows + spare;
}

static void *map_array(int fd, size_t n, size_t size)
{
    void *at = mmap(NULL, mapped_size(n, size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    return at == MAP_FAILED ? NULL : at;
}

int unwind_tables_attach(struct unwind_tables *t, const struct unwind_maps *maps, struct err *e)
{
    struct unwind_row *rows = map_array(maps->rows, maps->n_rows, sizeof(*rows));
    struct unwind_rule *rules = map_array(maps->rules, UNWIND_RULES_MAX, sizeof(*rules));
    struct unwind_mapping *mappings =
        map_array(maps->mappings, UNWIND_MAPPINGS_MAX, sizeof(*mappings));

    if (!rows || !rules || !mappings || maps->n_rows < t->n_rows)
        return err_set(e, -ENOMEM, "map the unwind tables: %s", err_text(errno));
    if (t->n_rows > 0)
        memcpy(rows, t->rows, t->n_rows * sizeof(*rows));
    memcpy(rules, t->all_rules, t->rules.n * sizeof(*rules));
    memcpy(mappings, t->mappings, t->n_mappings * sizeof(*mappings));
    free_arrays(t);
    t->rows = rows;
    t->rows_max = maps->n_rows;
    t->all_rules = t->rules.all = rules;
    t->mappings = mappings;
    t->is_attached = true;
    t->spaces_fd = maps->spaces;
    for (const struct space *space = t->spaces; space; space = space->hh.next)
        publish(t, space);
    return 0;
}

bool unwind_tables_view(const struct unwind_tables *t, pid_t pid, struct unwind_view *ret_view)
{
    struct space key = { .pid = pid }, *space;

    HASH_FIND(hh, t->spaces, &key.pid, sizeof(uint64_t), space);
    if (!space)
        return false;
    *ret_view = (struct unwind_view){
        .rows = t->rows,
        .rules = t->all_rules,
        .mappings = t->mappings,
        .n_rows = t->n_rows,
        .n_rules = t->rules.n,
        .n_mappings = t->n_mappings,
        .space = to_value(space),
    };
    return true;
}

uint32_t unwind_tables_left_out(const struct unwind_tables *t)
{
    return t->left_out;
}
