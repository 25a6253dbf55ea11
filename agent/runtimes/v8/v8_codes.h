/* SPDX-License-Identifier: Apache-2.0 */
/*
 * v8_codes: the compiled code of a process, as far as it was met.
 *
 * Code may be moved, or be gone and other code in its place: what is known is looked at again each
 * time. Memory is bounded; when it is full, all is forgotten and met again.
 */
#pragma once

#include "agent/runtimes/v8/v8_code.h"

enum { V8_CODES_MAX = 4096, V8_CODES_BYTES_MAX = 16 << 20 };

struct v8_codes {
    struct v8_code *codes; /* owned; by their beginnings */
    size_t n;
    size_t bytes;
};

/* The code of @shared around @pc. NULL: there is none. Borrowed until the next call. */
const struct v8_code *v8_codes_find(struct v8_codes *codes, pid_t pid, const struct v8_image *v8,
                                    uint64_t pc, uint64_t shared);
void v8_codes_release(struct v8_codes *codes); /* safe on a zeroed one */
