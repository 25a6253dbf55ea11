/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/podflame/problem.h"

#include "lib/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DETAIL_MAX = 4096 };

static const struct {
    const char *name, *words;
} causes[] = {
#define X(id, name, words) { name, words },
    PROBLEM_CAUSES(X)
#undef X
};

const char *problem_cause_name(enum problem_cause cause)
{
    assert(cause < PROBLEM_CAUSE_COUNT);
    return causes[cause].name;
}

void problems_release(struct problems *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->item[i].field);
        free(p->item[i].message);
    }
    p->n = 0;
}

int problems_write(const struct problems *p, struct buf *out)
{
    if (p->n > 1)
        (void)buf_add_str(out, "[");
    for (size_t i = 0; i < p->n; i++) {
        (void)buf_add_str(out, i ? ", " : "");
        (void)buf_add_str(out, p->item[i].field);
        (void)buf_add_str(out, ": ");
        (void)buf_add_str(out, p->item[i].message);
    }
    if (p->n > 1)
        (void)buf_add_str(out, "]");
    return buf_overflowed(out) ? -ENOSPC : 0;
}

void problems_add(struct problems *p, const char *field, enum problem_cause cause,
                  const char *shown, const char *detail_fmt, ...)
{
    char detail[DETAIL_MAX];
    size_t at = p->n;
    va_list args;

    assert(cause < PROBLEM_CAUSE_COUNT);
    if (p->n == PROBLEMS_MAX)
        return;
    va_start(args, detail_fmt);
    (void)vsnprintf(detail, sizeof(detail), detail_fmt, args);
    va_end(args);

    for (; at > 0 && strcmp(p->item[at - 1].field, field) > 0; at--)
        p->item[at] = p->item[at - 1];
    p->item[at] = (struct problem){
        .field = mem_strdup(field),
        .cause = cause,
        .message = mem_printf("%s%s%s%s%s", causes[cause].words, *shown ? ": " : "", shown,
                              *detail ? ": " : "", detail),
    };
    p->n++;
}

/* The code point at text[0..len), and how many bytes it takes; -1 and 1 byte when it is not valid
 * UTF-8. */
static int32_t next_code_point(const unsigned char *text, size_t len, size_t *ret_n)
{
    static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = text[0] < 0x80             ? 1
               : (text[0] & 0xe0) == 0xc0 ? 2
               : (text[0] & 0xf0) == 0xe0 ? 3
               : (text[0] & 0xf8) == 0xf0 ? 4
                                          : 0;
    int32_t code = n == 1 ? text[0] : n ? text[0] & (0x7f >> n) : -1;

    *ret_n = 1;
    if (n == 0 || n > len)
        return -1;
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return -1;
        code = (code << 6) | (text[i] & 0x3f);
    }
    if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return -1;
    *ret_n = n;
    return code;
}

/* Controls, separators, marks of direction, private use and what no terminal draws. */
static bool is_printable(int32_t code)
{
    static const struct {
        int32_t first, last;
    } not [] = {
        { 0, 0x1f },        { 0x7f, 0xa0 },     { 0xad, 0xad },        { 0x61c, 0x61c },
        { 0x1680, 0x1680 }, { 0x180e, 0x180e }, { 0x2000, 0x200f },    { 0x2028, 0x202f },
        { 0x205f, 0x206f }, { 0x3000, 0x3000 }, { 0xe000, 0xf8ff },    { 0xfeff, 0xfeff },
        { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0x10ffff },
    };

    for (size_t i = 0; i < sizeof(not ) / sizeof(not [0]); i++)
        if (code >= not [i].first && code <= not [i].last)
            return false;
    return true;
}

static void quote_one(int32_t code, const char *bytes, size_t n, struct buf *out)
{
    static const char named[] = "\aa\bb\ff\nn\rr\tt\vv\"\"\\\\";

    for (size_t i = 0; i + 1 < sizeof(named); i += 2) {
        if (code == named[i]) {
            (void)buf_printf(out, "\\%c", named[i + 1]);
            return;
        }
    }
    if (code < 0)
        (void)buf_printf(out, "\\x%02x", (unsigned char)bytes[0]);
    else if (is_printable(code))
        (void)buf_add(out, bytes, n);
    else if (code < 0x80)
        (void)buf_printf(out, "\\x%02x", (unsigned)code);
    else
        (void)buf_printf(out, code < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)code);
}

static bool is_plain(char c)
{
    return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

void problem_quote(const char *text, size_t len, struct buf *out)
{
    (void)buf_add_str(out, "\"");
    for (size_t i = 0; i < len;) {
        size_t n = 0;

        while (i + n < len && is_plain(text[i + n]))
            n++;
        (void)buf_add(out, text + i, n);
        i += n;
        if (i == len)
            break;
        int32_t code = next_code_point((const unsigned char *)text + i, len - i, &n);
        quote_one(code, text + i, n, out);
        i += n;
    }
    (void)buf_add_str(out, "\"");
}
