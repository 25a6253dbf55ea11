/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dwarf_cursor: takes numbers off the front of a run of untrusted bytes, never past its end. A read
 * that does not fit gives 0 and marks the cursor as failed for good, so that one test at the end of
 * a record is enough.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dwarf_cursor {
    const uint8_t *at, *end; /* borrowed */
    bool failed;
};

static inline size_t dwarf_left(const struct dwarf_cursor *c)
{
    return (size_t)(c->end - c->at);
}

static inline bool dwarf_take(struct dwarf_cursor *c, void *to, size_t size)
{
    if (c->failed || dwarf_left(c) < size) {
        c->failed = true;
        memset(to, 0, size);
        return false;
    }
    memcpy(to, c->at, size);
    c->at += size;
    return true;
}

static inline void dwarf_skip(struct dwarf_cursor *c, uint64_t size)
{
    if (c->failed || dwarf_left(c) < size)
        c->failed = true;
    else
        c->at += size;
}

static inline uint8_t dwarf_u8(struct dwarf_cursor *c)
{
    uint8_t value;

    (void)dwarf_take(c, &value, sizeof(value));
    return value;
}

static inline uint16_t dwarf_u16(struct dwarf_cursor *c)
{
    uint16_t value;

    (void)dwarf_take(c, &value, sizeof(value));
    return value;
}

static inline uint32_t dwarf_u32(struct dwarf_cursor *c)
{
    uint32_t value;

    (void)dwarf_take(c, &value, sizeof(value));
    return value;
}

static inline uint64_t dwarf_u64(struct dwarf_cursor *c)
{
    uint64_t value;

    (void)dwarf_take(c, &value, sizeof(value));
    return value;
}

/* Bits past the 64th are dropped. */
static inline uint64_t dwarf_uleb(struct dwarf_cursor *c)
{
    uint64_t value = 0;
    uint8_t byte;

    for (unsigned shift = 0; !c->failed; shift += 7) {
        byte = dwarf_u8(c);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            break;
        if (shift > 128)
            c->failed = true;
    }
    return value;
}

static inline int64_t dwarf_sleb(struct dwarf_cursor *c)
{
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte = 0;

    while (!c->failed) {
        byte = dwarf_u8(c);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (!(byte & 0x80))
            break;
        if (shift > 128)
            c->failed = true;
    }
    if (shift < 64 && (byte & 0x40))
        value |= ~UINT64_C(0) << shift;
    return (int64_t)value;
}

/* The bytes up to the next NUL, which is taken too; NULL and failed without one. */
static inline const char *dwarf_text(struct dwarf_cursor *c)
{
    const char *text = (const char *)c->at;
    const uint8_t *nul = c->failed || c->at == c->end ? NULL : memchr(c->at, 0, dwarf_left(c));

    if (!nul) {
        c->failed = true;
        return NULL;
    }
    c->at = nul + 1;
    return text;
}
