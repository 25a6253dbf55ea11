/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/v8/v8_positions.h"

/* Where the first difference counts from: the function's entry is before its code. */
enum { BEFORE_CODE = -1 };

enum { MORE = 1 << 7, GROUP_BITS = 7, VALUE_BITS = 64 };

/* Bits of a position: one that tells places of other files, the place and the inlined call, both
 * plus one. */
enum { EXTERNAL = 1, PLACE_SHIFT = 1, PLACE_BITS = 30, INLINED_SHIFT = 31, INLINED_BITS = 16 };

enum { SCALE_WIDE = 0, SCALE_EXTRA_WIDE = 1 }; /* the bytecodes that change the scale */

static bool read_unsigned(const uint8_t *table, size_t n, size_t *at, uint64_t *ret)
{
    uint64_t value = 0;

    for (unsigned shift = 0; *at < n && shift < VALUE_BITS; shift += GROUP_BITS) {
        uint8_t byte = table[(*at)++];

        value |= (uint64_t)(byte & (MORE - 1)) << shift;
        if (!(byte & MORE)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static bool read_signed(const uint8_t *table, size_t n, size_t *at, uint64_t *ret)
{
    uint64_t value;

    if (!read_unsigned(table, n, at, &value))
        return false;
    *ret = value >> 1 ^ (0 - (value & 1));
    return true;
}

struct v8_position v8_position_of(uint64_t raw)
{
    return (struct v8_position){
        .place = raw & EXTERNAL
                     ? -1
                     : (int32_t)(raw >> PLACE_SHIFT & ((UINT64_C(1) << PLACE_BITS) - 1)) - 1,
        .inlined = (int32_t)(raw >> INLINED_SHIFT & ((UINT64_C(1) << INLINED_BITS) - 1)) - 1,
    };
}

bool v8_positions_find(const uint8_t *table, size_t n, uint32_t offset,
                       struct v8_position *ret_position)
{
    uint64_t position = 0, by_code, by_position;
    int64_t code = BEFORE_CODE;
    bool found = false;

    for (size_t at = 0; at < n;) {
        if (!read_signed(table, n, &at, &by_code) || !read_signed(table, n, &at, &by_position))
            return false;
        by_code = by_code >> (VALUE_BITS - 1) ? ~by_code : by_code;
        if (by_code > (uint64_t)((int64_t)offset - code))
            break;
        code += (int64_t)by_code;
        position += by_position;
        *ret_position = v8_position_of(position);
        found = true;
    }
    return found;
}

/* The length of the bytecode at @at, with what changes its scale; 0: there is none. */
static size_t bytecode_size(const struct v8_bytecode_sizes *sizes, const uint8_t *bytecodes,
                            size_t n, size_t at)
{
    unsigned scale = 0;

    if (at < n && bytecodes[at] <= SCALE_EXTRA_WIDE) {
        scale = bytecodes[at] == SCALE_WIDE ? 1 : 2;
        at++;
    }
    if (at >= n || bytecodes[at] >= sizes->n)
        return 0;

    size_t size = sizes->sizes[scale][bytecodes[at]];

    return size == 0 ? 0 : size + (scale > 0);
}

bool v8_baseline_find(const struct v8_bytecode_sizes *sizes, const uint8_t *table, size_t n,
                      const uint8_t *bytecodes, size_t n_bytecodes, uint32_t pc,
                      uint32_t *ret_offset)
{
    uint64_t end, length;
    size_t at = 0, offset = 0, next = 0;

    if (!read_unsigned(table, n, &at, &end)) /* what comes before the first bytecode */
        return false;
    while (end <= pc) {
        size_t size = bytecode_size(sizes, bytecodes, n_bytecodes, next);

        if (size == 0 || !read_unsigned(table, n, &at, &length))
            return false;
        offset = next;
        next += size;
        end += length;
        if (end < length)
            return false;
    }
    *ret_offset = (uint32_t)offset;
    return true;
}
