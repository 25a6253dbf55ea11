/* SPDX-License-Identifier: Apache-2.0 */
/* utf8: one character of a target's string as UTF-8; what is not valid Unicode comes out as it is,
 * for flame/text.h mends it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { UTF8_MAX = 4 }; /* bytes a character */

/* How many bytes were put. */
static inline size_t utf8_put(char to[UTF8_MAX], uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | (c >> 18 & 7));
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}
