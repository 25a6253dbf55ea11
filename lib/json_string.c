/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json_string.h"

#include "lib/json_plain.h"

#include <string.h>

char json_unescape(char letter)
{
    switch (letter) {
    case '"':
    case '\\':
    case '/':
        return letter;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return '\0';
    }
}

int json_hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

size_t json_encode(uint32_t code, char utf8[4])
{
    static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        utf8[i] = (char)(0x80 | (code & 0x3f));
    utf8[0] = (char)(lead[n] | code);
    return n;
}

static uint32_t decode_hex(const char *digits)
{
    uint32_t code = 0;

    for (size_t i = 0; i < 4; i++)
        code = code << 4 | (uint32_t)json_hex_value(digits[i]);
    return code;
}

/* An escape is never shorter than what it stands for. */
char *json_string_decode(char *text, size_t len, size_t *ret_len)
{
    char *first = text + 1, *end = text + len - 1;
    char *at = memchr(first, '\\', (size_t)(end - first)), *to = at;

    while (at && at < end) {
        if (*at != '\\') {
            *to++ = *at++;
        } else if (at[1] != 'u') {
            *to++ = json_unescape(at[1]);
            at += 2;
        } else {
            uint32_t code = decode_hex(at + 2);

            at += 6;
            if (code >= 0xd800 && code < 0xdc00) { /* the first half of a pair */
                code = 0x10000 + ((code - 0xd800) << 10) + (decode_hex(at + 2) - 0xdc00);
                at += 6;
            }
            to += json_encode(code, to);
        }
    }
    end = to ? to : end;
    *end = '\0';
    *ret_len = (size_t)(end - first);
    return first;
}

/* ---- to text ---- */

static void write_escape(char c, struct buf *out)
{
    static const char named[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    char escape[] = { '\\', 0 };

    for (size_t i = 0; i + 1 < sizeof(named); i += 2)
        if (named[i] == c)
            escape[1] = named[i + 1];
    if (escape[1])
        (void)buf_add(out, escape, sizeof(escape));
    else
        (void)buf_printf(out, "\\u%04x", (unsigned char)c);
}

int json_string_write(const char *text, struct buf *out)
{
    const char *end = text + strlen(text);

    (void)buf_add(out, "\"", 1);
    while (text < end) {
        const char *stop = json_skip_plain(text, end);

        while (stop < end && (signed char)*stop < 0) /* beyond ASCII */
            stop++;
        (void)buf_add(out, text, (size_t)(stop - text));
        text = stop;
        if (text < end && !json_is_plain(*text))
            write_escape(*text++, out);
    }
    return buf_add(out, "\"", 1);
}
