/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorded_memory: pieces of a process's memory, as a recorder reads them of the process and a test
 * of what it wrote. A line each:
 *
 *   bytes ADDR HEX
 *
 * Both are hexadecimal. Of pieces that lie over each other the last one holds; a read is in one
 * piece.
 */
#pragma once

#include "lib/mem.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct recorded_piece {
    uint64_t addr;
    size_t size;
    unsigned char *bytes; /* owned */
};

/* All zero at first. */
struct recorded_memory {
    struct recorded_piece *pieces; /* owned */
    size_t n, n_written;
    size_t n_bytes;
};

static inline const unsigned char *recorded_memory_at(const struct recorded_memory *m,
                                                      uint64_t addr, size_t size)
{
    for (size_t i = m->n; i > 0; i--) {
        const struct recorded_piece *p = &m->pieces[i - 1];

        if (addr >= p->addr && addr - p->addr <= p->size && size <= p->size - (addr - p->addr))
            return p->bytes + (addr - p->addr);
    }
    return NULL;
}

/* False: it was not recorded. */
static inline bool recorded_memory_read(const struct recorded_memory *m, uint64_t addr, void *to,
                                        size_t size)
{
    const unsigned char *bytes = recorded_memory_at(m, addr, size);

    if (bytes)
        memcpy(to, bytes, size);
    return bytes != NULL;
}

/* Takes over @bytes. */
static inline void recorded_memory_add(struct recorded_memory *m, uint64_t addr,
                                       unsigned char *bytes, size_t size)
{
    if ((m->n & (m->n - 1)) == 0)
        m->pieces = mem_grow(m->pieces, m->n ? m->n * 2 : 1, sizeof(*m->pieces));
    m->pieces[m->n++] = (struct recorded_piece){ addr, size, bytes };
    m->n_bytes += size;
}

/* What was read there, unless it would be read so already. */
static inline void recorded_memory_keep(struct recorded_memory *m, uint64_t addr, const void *bytes,
                                        size_t size)
{
    const unsigned char *known = recorded_memory_at(m, addr, size);

    if (known && memcmp(known, bytes, size) == 0)
        return;
    unsigned char *copy = mem_alloc(size);
    memcpy(copy, bytes, size);
    recorded_memory_add(m, addr, copy, size);
}

/* Forgets all but the first @n pieces. */
static inline void recorded_memory_cut(struct recorded_memory *m, size_t n)
{
    while (m->n > n) {
        m->n_bytes -= m->pieces[--m->n].size;
        free(m->pieces[m->n].bytes);
    }
}

static inline void recorded_memory_release(struct recorded_memory *m)
{
    recorded_memory_cut(m, 0);
    free(m->pieces);
    *m = (struct recorded_memory){ 0 };
}

/* Those that were not written yet, to stdout. */
static inline void recorded_memory_write(struct recorded_memory *m)
{
    for (; m->n_written < m->n; m->n_written++) {
        const struct recorded_piece *p = &m->pieces[m->n_written];

        printf("bytes %" PRIx64 " ", p->addr);
        for (size_t i = 0; i < p->size; i++)
            printf("%02x", p->bytes[i]);
        printf("\n");
    }
}

/* False: that is no such line. */
static inline bool recorded_memory_take(struct recorded_memory *m, const char *line)
{
    uint64_t addr;
    int at = 0;

    if (sscanf(line, "bytes %" SCNx64 " %n", &addr, &at) != 1 || at == 0)
        return false;

    size_t size = strspn(line + at, "0123456789abcdef") / 2;
    unsigned char *bytes = mem_alloc(size);

    for (size_t i = 0; i < size; i++)
        (void)sscanf(line + at + 2 * i, "%2hhx", &bytes[i]); /* they are such digits */
    recorded_memory_add(m, addr, bytes, size);
    return true;
}
