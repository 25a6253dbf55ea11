/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/flame/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ELLIPSIS    "\xe2\x80\xa6" /* U+2026 */

/* The length of the character at @s (NUL-terminated), 0 when it is broken. */
static size_t decode(const unsigned char *s, uint32_t *ret_char)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t min;
    } forms[] = {
        { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 }
    };

    for (size_t extra = 0; extra < 4; extra++) {
        if ((s[0] & forms[extra].mask) != forms[extra].lead)
            continue;
        uint32_t c = s[0] & (unsigned char)~forms[extra].mask;

        for (size_t i = 1; i <= extra; i++) { /* the NUL is no continuation: never read past it */
            if ((s[i] & 0xc0) != 0x80)
                return 0;
            c = c << 6 | (s[i] & 0x3f);
        }
        if (c < forms[extra].min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return 0;
        *ret_char = c;
        return extra + 1;
    }
    return 0;
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029;
}

static bool reorders(uint32_t c)
{
    return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

size_t flame_text_clean(const char *raw, char out[FLAME_NAME_MAX + 1])
{
    const unsigned char *s = (const unsigned char *)(raw && *raw ? raw : "[no name]");
    size_t len = 0, cut = 0; /* cut: where an ellipsis still fits */

    while (*s) {
        uint32_t c = 0;
        size_t n = decode(s, &c);
        const char *piece = (const char *)s;
        size_t len_piece = n;

        if (n == 0 || reorders(c)) {
            piece = REPLACEMENT;
            len_piece = 3;
        } else if (is_control(c)) {
            piece = " ";
            len_piece = 1;
        }
        if (len + len_piece > FLAME_NAME_MAX) {
            memcpy(out + cut, ELLIPSIS, 3);
            len = cut + 3;
            break;
        }
        memcpy(out + len, piece, len_piece);
        len += len_piece;
        if (len <= FLAME_NAME_MAX - 3)
            cut = len;
        s += n ? n : 1;
    }
    out[len] = '\0';
    return len;
}
