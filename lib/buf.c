/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/buf.h"

#include "lib/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf)BUF_INIT(max);
}

void buf_release(struct buf *b)
{
    free(b->data);
    *b = (struct buf)BUF_INIT(b->max);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->overflowed = false;
    if (b->data)
        b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t len)
{
    if (b->overflowed || b->len > b->max || len > b->max - b->len) {
        b->overflowed = true;
        return NULL;
    }
    size_t need = b->len + len + 1;
    if (need > b->size) {
        size_t size = b->size ? b->size : 256;

        while (size < need)
            size *= 2;
        b->data = mem_grow(b->data, size, 1);
        b->size = size;
    }
    return b->data + b->len;
}

int buf_add(struct buf *b, const void *data, size_t len)
{
    char *to = buf_reserve(b, len);

    if (!to)
        return -ENOSPC;
    if (len > 0)
        memcpy(to, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return 0;
}

int buf_add_str(struct buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args, again;
    int code = -ENOSPC;

    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *to = n < 0 ? NULL : buf_reserve(b, (size_t)n);
    if (to) {
        (void)vsnprintf(to, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
        code = 0;
    }
    va_end(again);
    va_end(args);
    return code;
}

void buf_consume(struct buf *b, size_t n)
{
    assert(n <= b->len);
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n + 1);
    b->len -= n;
}

const char *buf_str(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_take(struct buf *b, size_t *ret_len)
{
    char *data = b->data ? b->data : mem_strdup("");

    if (ret_len)
        *ret_len = b->len;
    b->data = NULL;
    buf_release(b);
    return data;
}
