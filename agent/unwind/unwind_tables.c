/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/unwind_tables.h"

#include "agent/slots.h"
#include "agent/unwind/unwind_image.h"
#include "agent/unwind/unwind_rules.h"
#include "lib/mem.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROOM_MIN = 1 << 20 };

/* The rows of an image, once it was looked at. */
struct table {
    struct unwind_segment *segments; /* owned */
    size_t n_segments;
    uint64_t range_start; /* vaddr of the rows' address 0 */
    uint32_t first_row, n_rows;
    bool was_read, is_go;
};

struct unwind_tables {
    struct images *images;
    struct unwind_row *rows;
    struct unwind_rule *all_rules;
    struct unwind_mapping *mappings;
    uint32_t n_rows, rows_max; /* of rows */
    struct unwind_rules rules;
    struct slots *slots; /* of mappings */
    uint32_t n_mappings; /* up to the last one that was ever in use */
    uint32_t last_version;
    int spaces_fd;    /* -1 before the hand-over */
    bool is_attached; /* the arrays are mapped */
    struct unwind_left_out left_out;
    struct table tables[IMAGES_MAX];
};

struct unwind_tables *unwind_tables_new(struct images *images)
{
    struct unwind_tables *t = mem_zalloc(sizeof(*t));

    t->images = images;
    t->spaces_fd = -1;
    t->all_rules = mem_array(UNWIND_RULES_MAX, sizeof(*t->all_rules));
    t->mappings = mem_array(UNWIND_MAPPINGS_MAX, sizeof(*t->mappings));
    t->slots = slots_new(UNWIND_MAPPINGS_MAX);
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
    if (!t)
        return;
    for (size_t i = 0; i < IMAGES_MAX; i++)
        free(t->tables[i].segments);
    free_arrays(t);
    slots_free(t->slots);
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
    if (image.range.arch != unwind_arch_here) {
        unwind_image_release(&image); /* data of an emulator */
        return;
    }
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
    t->left_out.images += table->n_rows < image.table.n_rows || image.table.is_full;
    unwind_image_release(&image);
}

static struct unwind_mapping make_mapping(struct unwind_tables *t, const struct code *code)
{
    struct unwind_mapping m = { .start = code->start, .end = code->end };
    uint64_t vaddr;

    if (code->image == IMAGE_NONE)
        return m;

    const struct image *image = images_get(t->images, code->image);
    struct table *table = &t->tables[code->image];

    if (!table->was_read && image->fd >= 0 && images_begin_reading(t->images)) {
        read_table(t, image->fd, table);
        table->was_read = true;
        images_end_reading(t->images);
    }
    m.flags = table->is_go || image->elf.has_go ? UNWIND_SWITCHES_STACKS : UNWIND_NATIVE;
    if (unwind_segments_vaddr(table->segments, table->n_segments, code->off, &vaddr)) {
        m.base = code->start - vaddr + table->range_start;
        m.first_row = table->first_row;
        m.n_rows = table->n_rows;
    }
    return m;
}

/* In the order of a version that counts: the rest, then the version. */
bool unwind_tables_place(struct unwind_tables *t, const struct code *items, size_t n,
                         struct unwind_place *ret_place)
{
    struct unwind_place place = { .n = (uint32_t)n };

    if (n == 0 || !slots_take(t->slots, place.n, &place.first))
        return false;
    for (size_t i = 0; i < n; i++)
        t->mappings[place.first + i] = make_mapping(t, &items[i]);
    if (t->n_mappings < place.first + place.n)
        t->n_mappings = place.first + place.n;
    place.version = ++t->last_version ? t->last_version : ++t->last_version;
    __atomic_store_n(&t->mappings[place.first].version, place.version, __ATOMIC_RELEASE);
    *ret_place = place;
    return true;
}

void unwind_tables_take_back(struct unwind_tables *t, struct unwind_place *place)
{
    if (place->n > 0)
        __atomic_store_n(&t->mappings[place->first].version, 0, __ATOMIC_RELEASE);
    place->version = 0;
}

void unwind_tables_give(struct unwind_tables *t, const struct unwind_place *place)
{
    if (place->n > 0)
        slots_give(t->slots, place->first, place->n);
}

static struct unwind_space make_space(const struct unwind_place *place)
{
    return place ? (struct unwind_space){ .first = place->first,
                                          .n = place->n,
                                          .version = place->version,
                                          .flags = UNWIND_SPACE_KNOWN }
                 : (struct unwind_space){ .flags = UNWIND_SPACE_KNOWN };
}

void unwind_tables_publish(struct unwind_tables *t, pid_t pid, const struct process_image *image,
                           const struct unwind_place *place, bool is_new)
{
    struct unwind_space space = make_space(place);

    space.image = *image;
    if (t->spaces_fd >= 0 &&
        bpf_map_update_elem(t->spaces_fd, &pid, &space, is_new ? BPF_ANY : BPF_EXIST) < 0 && is_new)
        t->left_out.processes++;
}

void unwind_tables_withdraw(struct unwind_tables *t, pid_t pid)
{
    if (t->spaces_fd >= 0)
        (void)bpf_map_delete_elem(t->spaces_fd, &pid); /* it may be gone already */
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

/* Piece by piece from the end, each of which is then given back: there are never all of them twice.
 */
static void move_rows(struct unwind_row *to, struct unwind_row *from, size_t n)
{
    enum { PIECE = 1 << 17 };

    while (n > 0) {
        size_t rest = n > PIECE ? n - PIECE : 0;

        memcpy(to + rest, from + rest, (n - rest) * sizeof(*to));
        from = mem_grow(from, rest + 1, sizeof(*from));
        n = rest;
    }
    free(from);
}

int unwind_tables_attach(struct unwind_tables *t, const struct unwind_maps *maps, struct err *e)
{
    struct unwind_row *rows = map_array(maps->rows, maps->n_rows, sizeof(*rows));
    struct unwind_rule *rules = map_array(maps->rules, UNWIND_RULES_MAX, sizeof(*rules));
    struct unwind_mapping *mappings =
        map_array(maps->mappings, UNWIND_MAPPINGS_MAX, sizeof(*mappings));

    if (!rows || !rules || !mappings || maps->n_rows < t->n_rows)
        return err_set(e, -ENOMEM, "map the unwind tables: %s", err_text(errno));
    move_rows(rows, t->rows, t->n_rows);
    t->rows = NULL;
    memcpy(rules, t->all_rules, t->rules.n * sizeof(*rules));
    memcpy(mappings, t->mappings, t->n_mappings * sizeof(*mappings));
    free_arrays(t);
    t->rows = rows;
    t->rows_max = maps->n_rows;
    t->all_rules = t->rules.all = rules;
    t->mappings = mappings;
    t->is_attached = true;
    t->spaces_fd = maps->spaces;
    return 0;
}

struct unwind_view unwind_tables_view(const struct unwind_tables *t,
                                      const struct unwind_place *place)
{
    return (struct unwind_view){
        .rows = t->rows,
        .rules = t->all_rules,
        .mappings = t->mappings,
        .n_rows = t->n_rows,
        .n_rules = t->rules.n,
        .n_mappings = t->n_mappings,
        .space = make_space(place),
    };
}

struct unwind_left_out unwind_tables_left_out(const struct unwind_tables *t)
{
    struct unwind_left_out left_out = t->left_out;

    for (uint32_t i = 0; i < images_count(t->images); i++)
        left_out.images += images_get(t->images, i)->fd >= 0 && !t->tables[i].was_read;
    return left_out;
}
