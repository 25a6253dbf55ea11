/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/v8/v8_bytecode_sizes.h"

#include "lib/cleanup.h"
#include "lib/mem.h"

#include <string.h>
#include <unistd.h>

enum {
    BEGIN = 11,
    PIECE = 1 << 16,
    ROOM = V8_SCALES * V8_BYTECODES_MAX,
    SEARCH_MAX = 64 << 20, /* of constants */
    LIKE_MAX = 64,         /* places that begin like it and are not */
};

/* How each scale begins, from V8 9 to 13: the bytecodes that change the scale, and those of
 * breakpoints (src/interpreter/bytecodes.h). */
static const uint8_t begins[V8_SCALES][BEGIN] = {
    { 1, 1, 1, 1, 1, 2, 3, 4, 5, 5, 6 },
    { 1, 1, 1, 1, 1, 3, 5, 7, 9, 7, 9 },
    { 1, 1, 1, 1, 1, 5, 9, 13, 17, 11, 15 },
};

struct search {
    int fd, n_like;
    uint64_t off; /* out */
    size_t n;     /* out: bytecodes; 0: not found */
};

/* Of how many bytecodes the table at @bytes is; 0: it is none. */
static size_t count(const uint8_t bytes[ROOM])
{
    for (size_t n = BEGIN; n <= V8_BYTECODES_MAX; n++) {
        size_t same = 0;

        while (same < V8_SCALES && memcmp(bytes + same * n, begins[same], BEGIN) == 0)
            same++;
        if (same == V8_SCALES)
            return n;
    }
    return 0;
}

/* False: it is not in these bytes, of which those behind @n are only there to be looked at. */
static bool search_bytes(struct search *s, const uint8_t *bytes, size_t n, uint64_t off)
{
    const uint8_t *at = bytes, *end = bytes + n + BEGIN - 1;

    while (s->n_like < LIKE_MAX && (at = memmem(at, (size_t)(end - at), begins[0], BEGIN))) {
        s->off = off + (uint64_t)(at - bytes);
        s->n = count(at++);
        if (s->n > 0)
            return true;
        s->n_like++;
    }
    return false;
}

static bool search_file(struct search *s, uint64_t off, uint64_t size)
{
    _cleanup_free_ uint8_t *bytes = mem_alloc(PIECE + ROOM);

    for (uint64_t i = 0; i < size; i += PIECE) {
        ssize_t n = pread(s->fd, bytes, PIECE + ROOM, (off_t)(off + i));

        if (n <= ROOM)
            return false;
        if (search_bytes(s, bytes, (size_t)n - ROOM, off + i))
            return true;
    }
    return false;
}

static bool holds_code(const struct elf_image *elf, const struct elf_segment *s)
{
    for (size_t i = 0; i < elf->n_code; i++) {
        if (elf->code[i].vaddr - s->vaddr < s->file_size)
            return true;
    }
    return false;
}

static void search_constants(struct search *s, const struct elf_image *elf)
{
    uint64_t left = SEARCH_MAX;

    for (size_t i = 0; i < elf->n_segments; i++) {
        const struct elf_segment *segment = &elf->segments[i];

        if (holds_code(elf, segment))
            continue;
        if (segment->file_size > left || search_file(s, segment->off, segment->file_size))
            return;
        left -= segment->file_size;
    }
}

void v8_bytecode_sizes_read(int fd, const struct elf_image *elf, const struct elf_wanted *table,
                            struct v8_bytecode_sizes *ret_sizes)
{
    struct v8_bytecode_sizes sizes = { .n = 0 };
    struct search search = { .fd = fd };

    if (!table->found)
        search_constants(&search, elf);
    else if (table->size % V8_SCALES == 0 && elf_image_off(elf, table->vaddr, &search.off))
        search.n = table->size / V8_SCALES;
    if (search.n > V8_BYTECODES_MAX)
        return;
    sizes.n = search.n;
    for (size_t i = 0; i < V8_SCALES; i++) {
        if (pread(fd, sizes.sizes[i], sizes.n, (off_t)(search.off + i * sizes.n)) !=
            (ssize_t)sizes.n)
            return;
    }
    *ret_sizes = sizes;
}
