/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf: a growable run of bytes with a mandatory cap.
 *
 * A write that would pass the cap changes nothing, marks the buffer as overflowed and returns
 * -ENOSPC; later writes fail too, so that a series of writes can be checked once at its end with
 * buf_overflowed(). data is always NUL-terminated after the first write (the NUL is not counted in
 * len).
 */
#pragma once

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data; /* owned; NULL while nothing was written */
    size_t len;
    size_t size; /* allocated */
    size_t max;  /* cap on len */
    bool overflowed;
};

#define BUF_INIT(cap)                                                                              \
    {                                                                                              \
        .max = (cap)                                                                               \
    }

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b); /* safe on a zeroed or released buffer */
void buf_clear(struct buf *b);   /* len 0, not overflowed; keeps the memory */

int buf_add(struct buf *b, const void *data, size_t len);
int buf_add_str(struct buf *b, const char *s);
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);

/* Room for len more bytes, not counted until the caller adds to b->len; NULL past the cap. */
char *buf_reserve(struct buf *b, size_t len) WARN_UNUSED;

/* Removes the first n bytes. n <= len. */
void buf_consume(struct buf *b, size_t n);

static inline bool buf_overflowed(const struct buf *b)
{
    return b->overflowed;
}

/* The contents as a C string, never NULL. */
const char *buf_str(const struct buf *b);

/* Moves the contents out as a malloc'ed NUL-terminated string (never NULL); the buffer is empty
 * after. */
char *buf_take(struct buf *b, size_t *ret_len);

#define _cleanup_buf_ __attribute__((cleanup(buf_release)))
