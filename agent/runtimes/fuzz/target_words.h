/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target_words: a target's memory made of a fuzzer's bytes. Words of the form 0xfe.....offset
 * become pointers to that offset, with the tag that their second byte says; all else stays as it
 * is.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { TARGET_WORDS = 1024 };

static inline uint64_t target_words_make(const uint8_t *data, size_t size, uint64_t *words)
{
    uint64_t base = (uint64_t)(uintptr_t)words;

    memset(words, 0, TARGET_WORDS * sizeof(*words));
    memcpy(words, data,
           size < TARGET_WORDS * sizeof(*words) ? size : TARGET_WORDS * sizeof(*words));
    for (size_t i = 0; i < TARGET_WORDS; i++) {
        if (words[i] >> 56 == 0xfe)
            words[i] = base + (words[i] % TARGET_WORDS) * sizeof(*words) + (words[i] >> 48 & 3);
    }
    return base;
}
