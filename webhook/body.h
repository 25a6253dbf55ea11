/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body: the bytes of one request as they arrive, within the limit of one and of all together.
 *
 * Memory is taken as bytes come, never for what a client merely announces.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>

/* What all bodies of a server hold; the server owns it. */
struct body_budget {
    size_t max_one, max_all;
    atomic_size_t used;
};

struct body {
    char *data; /* owned; not NUL-terminated */
    size_t len, size;
    struct body_budget *budget;
};

/* Appends. -EFBIG past max_one, -ENOBUFS past max_all; both change nothing. */
int body_add(struct body *b, const char *data, size_t len) __attribute__((warn_unused_result));

void body_release(struct body *b); /* gives its bytes back to the budget */
