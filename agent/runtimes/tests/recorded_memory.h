/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorded_memory: pieces of a process's memory, as a recorder reads them of the process and a test
 * of what it wrote: one piece a line, or some of them, deflated.
 *
 *   bytes ADDR HEX           ADDR is hexadecimal, too
 *   packed SIZE BASE64       of SIZE bytes: an address and a size, 64 bits each, and what was there
 *
 * Of pieces that lie over each other the last one holds; a read is in one piece.
 */
#pragma once

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/mem.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    RECORDED_LINE_MAX = 256 << 10,
    RECORDED_PIECE_MAX = 16 << 10,
    RECORDED_MEMORY_MAX = 4 << 20
};

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

static inline void recorded_memory_add(struct recorded_memory *m, uint64_t addr, const void *bytes,
                                       size_t size)
{
    struct recorded_piece piece = { addr, size, mem_alloc(size) };

    memcpy(piece.bytes, bytes, size);
    if ((m->n & (m->n - 1)) == 0)
        m->pieces = mem_grow(m->pieces, m->n ? m->n * 2 : 1, sizeof(*m->pieces));
    m->pieces[m->n++] = piece;
    m->n_bytes += size;
}

/* What was read there, unless it would be read so already. */
static inline void recorded_memory_keep(struct recorded_memory *m, uint64_t addr, const void *bytes,
                                        size_t size)
{
    const unsigned char *known = recorded_memory_at(m, addr, size);

    if (!known || memcmp(known, bytes, size) != 0)
        recorded_memory_add(m, addr, bytes, size);
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
    _cleanup_buf_ struct buf plain = BUF_INIT(RECORDED_MEMORY_MAX);
    _cleanup_buf_ struct buf text = BUF_INIT(RECORDED_MEMORY_MAX);

    for (; m->n_written < m->n; m->n_written++) {
        const struct recorded_piece *p = &m->pieces[m->n_written];
        const uint64_t head[] = { p->addr, p->size };

        (void)buf_add(&plain, head, sizeof(head));
        (void)buf_add(&plain, p->bytes, p->size);
    }

    uLongf size = compressBound(plain.len);
    _cleanup_free_ unsigned char *packed = mem_alloc(size);

    if (plain.len == 0 || buf_overflowed(&plain) ||
        compress2(packed, &size, (const void *)plain.data, plain.len, Z_BEST_COMPRESSION) != Z_OK ||
        base64_encode(packed, size, &text) < 0)
        return;
    printf("packed %zu %s\n", plain.len, buf_str(&text));
}

static inline bool recorded_memory_unpack(struct recorded_memory *m, size_t size, const char *text)
{
    _cleanup_buf_ struct buf packed = BUF_INIT(RECORDED_MEMORY_MAX);
    _cleanup_free_ unsigned char *plain = mem_alloc(size);
    uLongf n = size;
    uint64_t head[2];

    if (base64_decode(text, strcspn(text, "\n"), &packed) < 0 ||
        uncompress(plain, &n, (const void *)packed.data, packed.len) != Z_OK || n != size)
        return false;
    for (size_t at = 0; at < size; at += sizeof(head) + head[1]) {
        if (size - at < sizeof(head))
            return false;
        memcpy(head, plain + at, sizeof(head));
        if (head[1] > size - at - sizeof(head))
            return false;
        recorded_memory_add(m, head[0], plain + at + sizeof(head), head[1]);
    }
    return true;
}

/* False: that is no such line. */
static inline bool recorded_memory_take(struct recorded_memory *m, const char *line)
{
    unsigned char bytes[RECORDED_PIECE_MAX];
    uint64_t addr;
    size_t size;
    int at = 0;

    if (sscanf(line, "packed %zu %n", &size, &at) == 1 && size <= RECORDED_MEMORY_MAX)
        return recorded_memory_unpack(m, size, line + at);
    if (sscanf(line, "bytes %" SCNx64 " %n", &addr, &at) != 1)
        return false;
    for (size = 0; size < sizeof(bytes) && sscanf(line + at, "%2hhx", &bytes[size]) == 1; size++)
        at += 2;
    recorded_memory_add(m, addr, bytes, size);
    return true;
}
