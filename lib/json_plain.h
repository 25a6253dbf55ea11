/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_plain: passes over the bytes of a JSON string that need no look, 16 or 8 at a time.
 *
 * That is most of a large body: results are megabytes of base64. Reads only what is asked for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline bool json_is_plain(char c)
{
    return (signed char)c >= ' ' && c != '"' && c != '\\';
}

#ifdef __SSE2__

#define JSON_STEP ((ptrdiff_t)16)

/* A bit for each byte that ends a string, starts an escape, or is not printable ASCII: as signed
 * bytes the latter are all below the blank. */
static inline uint64_t json_find_special(const char *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i special = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(' ')),
                                   _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                                _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));

    return (unsigned)_mm_movemask_epi8(special);
}

static inline size_t json_first_special(uint64_t found)
{
    return (size_t)__builtin_ctzll(found);
}

#else

#define JSON_STEP       ((ptrdiff_t)8)
#define JSON_EACH(byte) (0x0101010101010101ULL * (byte))

/* The high bit of each such byte, the first one lowest; what is above the first may be wrong. */
static inline uint64_t json_find_special(const char *at)
{
    const unsigned char *b = (const unsigned char *)at;
    uint64_t word = 0, quote, slash;

    for (ptrdiff_t i = JSON_STEP - 1; i >= 0; i--)
        word = word << 8 | b[i];
    quote = word ^ JSON_EACH('"');
    slash = word ^ JSON_EACH('\\');
    return (word | ((word - JSON_EACH(' ')) & ~word) | ((quote - JSON_EACH(1)) & ~quote) |
            ((slash - JSON_EACH(1)) & ~slash)) &
           JSON_EACH(0x80);
}

static inline size_t json_first_special(uint64_t found)
{
    return (size_t)__builtin_ctzll(found) / 8;
}

#endif

/* The first byte of [at, end) that ends a string, starts an escape, or is not printable ASCII; or
 * @end. */
static inline const char *json_skip_plain(const char *at, const char *end)
{
    for (; end - at >= JSON_STEP; at += JSON_STEP) {
        uint64_t found = json_find_special(at);

        if (found)
            return at + json_first_special(found);
        while (end - at >= 5 * JSON_STEP &&
               (json_find_special(at + JSON_STEP) | json_find_special(at + 2 * JSON_STEP) |
                json_find_special(at + 3 * JSON_STEP) | json_find_special(at + 4 * JSON_STEP)) == 0)
            at += 4 * JSON_STEP;
    }
    while (at < end && json_is_plain(*at))
        at++;
    return at;
}
