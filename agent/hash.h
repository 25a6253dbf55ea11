/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash: uthash with a function in place of its own hash macro, whose expansion falls through cases
 * at every use and so cannot be compiled without warnings.
 *
 * Keys are 8 bytes and more, of numbers, which the target may choose: the seed is not known to it.
 */
#pragma once

#include "lib/mem.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

extern uint64_t hash_seed; /* of this process; set before main */

static inline unsigned hash_bytes(const void *key, size_t len)
{
    const unsigned char *at = key;
    uint64_t hash = hash_seed ^ len, word;

    for (; len > 0; at += sizeof(word), len -= len < sizeof(word) ? len : sizeof(word)) {
        word = 0;
        memcpy(&word, at, len < sizeof(word) ? len : sizeof(word));
        hash = (hash ^ word) * 0x9e3779b97f4a7c15U;
        hash ^= hash >> 32;
    }
    return (unsigned)hash;
}

#define uthash_malloc(size)           mem_alloc(size) /* never NULL */
#define HASH_FUNCTION(key, len, hash) (hash) = hash_bytes((key), (len))

#include <uthash.h>
