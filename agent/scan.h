/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan: takes numbers and characters off the front of a run of bytes, never past its end. What the
 * parsers of /proc text and of perf maps are made of. A failed take leaves the scan as it was.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scan {
    const char *at; /* borrowed; need not end in NUL */
    size_t len;
};

static inline void scan_skip(struct scan *t, size_t n)
{
    t->at += n;
    t->len -= n;
}

static inline bool scan_take_char(struct scan *t, char c)
{
    if (t->len == 0 || *t->at != c)
        return false;
    scan_skip(t, 1);
    return true;
}

static inline int scan_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* 1 to 16 digits after leading zeros, without 0x. */
static inline bool scan_take_hex(struct scan *t, uint64_t *ret)
{
    uint64_t value = 0;
    size_t n = 0;
    int digit;

    while (n < t->len && (digit = scan_hex_digit(t->at[n])) >= 0) {
        if (value >> 60)
            return false;
        value = value << 4 | (unsigned)digit;
        n++;
    }
    if (n == 0)
        return false;
    scan_skip(t, n);
    *ret = value;
    return true;
}

static inline bool scan_take_dec(struct scan *t, uint64_t *ret)
{
    uint64_t value = 0;
    size_t n = 0;

    for (; n < t->len && t->at[n] >= '0' && t->at[n] <= '9'; n++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(t->at[n] - '0'), &value))
            return false;
    }
    if (n == 0)
        return false;
    scan_skip(t, n);
    *ret = value;
    return true;
}
