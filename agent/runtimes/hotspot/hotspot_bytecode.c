/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_bytecode.h"

/* By its number; 0: none, or its length is its own matter. */
static const uint8_t lengths[] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 00: nop, constants */
    2, 3, 2, 3, 3, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, /* 10: bipush, ldc, loads */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 20 */
    1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, /* 30: stores from 36 on */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 40 */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 50: the stack */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 60: arithmetic */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 70 */
    1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 80: iinc, conversions */
    1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, /* 90: comparisons, jumps from 99 on */
    3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 0, 0, 1, 1, 1, 1, /* a0: ret, the switches, returns */
    1, 1, 3, 3, 3, 3, 3, 3, 3, 5, 5, 3, 2, 3, 1, 1, /* b0: fields, calls, new */
    3, 3, 1, 1, 0, 4, 3, 3, 5, 5, 0, 3, 3, 3, 3, 3, /* c0: wide, fast_agetfield from 203 on */
    3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 1, 4, 4, 4, /* d0: fast_aputfield, fast_aload_0 */
    2, 4, 3, 3, 0, 0, 2, 3, 1, 3, 3, 3, 1, 2,       /* e0: fast_iload to nofast_iload */
};

enum {
    GOTO = 0xa7,
    IFEQ = 0x99,
    JSR = 0xa8,
    TABLESWITCH = 0xaa,
    LOOKUPSWITCH = 0xab,
    IINC = 0x84,
    WIDE = 0xc4,
    IFNULL = 0xc6,
    IFNONNULL = 0xc7,
    GOTO_W = 0xc8,
    JSR_W = 0xc9,
    FAST_INVOKEVFINAL = 227,
    FAST_LINEARSWITCH = 228,
    FAST_BINARYSWITCH = 229,
};

static uint32_t u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Behind the opcode, up to a multiple of four, the default; then pairs, or bounds and targets. */
static uint64_t switch_length(const uint8_t *code, uint32_t size, uint32_t at)
{
    uint32_t operands = (at & ~3U) + 4, needed = code[at] == TABLESWITCH ? 12 : 8;

    if (operands > size || size - operands < needed)
        return 0;
    if (code[at] != TABLESWITCH)
        return operands - at + 8 + 8 * (uint64_t)u32(code + operands + 4);

    int64_t low = (int32_t)u32(code + operands + 4), high = (int32_t)u32(code + operands + 8);

    return low <= high ? operands - at + 12 + 4 * (uint64_t)(high - low + 1) : 0;
}

static uint64_t length_of(const uint8_t *code, uint32_t size, uint32_t at)
{
    uint8_t is = code[at];

    if (is == WIDE)
        return size - at < 2 ? 0 : code[at + 1] == IINC ? 6 : 4;
    if (is == TABLESWITCH || is == LOOKUPSWITCH || is == FAST_LINEARSWITCH ||
        is == FAST_BINARYSWITCH)
        return switch_length(code, size, at);
    return is < sizeof(lengths) ? lengths[is] : 0;
}

uint32_t hotspot_bytecode_length(const uint8_t *code, uint32_t size, uint32_t at)
{
    uint64_t length = at < size ? length_of(code, size, at) : 0;

    return length <= size - at ? (uint32_t)length : 0;
}

bool hotspot_bytecode_is_call(uint8_t bytecode)
{
    return (bytecode >= JAVA_INVOKEVIRTUAL && bytecode <= JAVA_INVOKEINTERFACE) ||
           bytecode == FAST_INVOKEVFINAL || bytecode == JAVA_INVOKEHANDLE;
}

bool hotspot_bytecode_jumps_back(const uint8_t *code, uint32_t size, uint32_t at, uint32_t *ret_to)
{
    uint8_t is = code[at];
    int64_t to;

    if (hotspot_bytecode_length(code, size, at) == 0)
        return false;
    if ((is >= IFEQ && is <= JSR) || is == IFNULL || is == IFNONNULL)
        to = (int64_t)at + (int16_t)(code[at + 1] << 8 | code[at + 2]);
    else if (is == GOTO_W || is == JSR_W)
        to = (int64_t)at + (int32_t)u32(code + at + 1);
    else
        return false;
    *ret_to = to < 0 ? 0 : (uint32_t)to;
    return to <= (int64_t)at;
}
