/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotspot_compressed: the numbers that HotSpot keeps its debug information in (UNSIGNED5 of
 * share/code/compressedStream.hpp, from JDK 20 on share/utilities/unsigned5.hpp).
 *
 * One to five bytes, the lowest digit first, each worth 64 times the one before. A byte below 192
 * ends a number. From JDK 20 on no byte is 0: each is one more than its digit.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { HOTSPOT_NO_ZERO_SINCE = 20 }; /* the JDK */

struct hotspot_compressed {
    const unsigned char *at, *end;
    bool no_zero;
};

/* 0 past the end, and for what is no number. */
static inline uint32_t hotspot_compressed_u32(struct hotspot_compressed *c)
{
    enum { BYTES_MAX = 5, MORE = 192, DIGIT_BITS = 6 };
    unsigned excluded = c->no_zero ? 1 : 0;
    uint32_t sum = 0;

    for (unsigned i = 0; i < BYTES_MAX && c->at < c->end; i++) {
        unsigned byte = *c->at++;

        if (byte < excluded)
            return 0;
        sum += (uint32_t)(byte - excluded) << (i * DIGIT_BITS);
        if (byte < MORE)
            return sum;
    }
    return sum;
}

/* The sign is the lowest bit. */
static inline int32_t hotspot_compressed_i32(struct hotspot_compressed *c)
{
    uint32_t value = hotspot_compressed_u32(c);

    return (int32_t)((value >> 1) ^ (0 - (value & 1)));
}
