/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/body.h"

#include "lib/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 8 * 1024 };

static int grow(struct body *b, size_t need)
{
    size_t size = b->size ? b->size : FIRST_SIZE;

    while (size < need)
        size *= 2;
    if (size > b->budget->max_one)
        size = b->budget->max_one;
    size_t more = size - b->size;
    if (atomic_fetch_add(&b->budget->used, more) + more > b->budget->max_all) {
        atomic_fetch_sub(&b->budget->used, more);
        return -ENOBUFS;
    }
    b->data = mem_grow(b->data, size, 1);
    b->size = size;
    return 0;
}

int body_add(struct body *b, const char *data, size_t len)
{
    if (len > b->budget->max_one - b->len)
        return -EFBIG;
    if (b->len + len > b->size) {
        int code = grow(b, b->len + len);

        if (code < 0)
            return code;
    }
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    return 0;
}

void body_release(struct body *b)
{
    if (b->budget)
        atomic_fetch_sub(&b->budget->used, b->size);
    free(b->data);
    b->data = NULL;
    b->len = b->size = 0;
}
