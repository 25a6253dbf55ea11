/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_forward.h"

#include "agent/runtimes/target_memory.h"

#include <string.h>

enum { CODE_MAX = 64, WORD = 8 };

enum { INVOKESPECIAL = 0xb7, INVOKESTATIC = 0xb8, INVOKE_LENGTH = 3 };

/* src/hotspot/share/interpreter/bytecodes.hpp: what may stand before the call and behind it, and
 * how long it is. From 203 on they are the machine's own, for fields and locals. */
static const struct {
    uint8_t first, last, length;
} harmless[] = {
    { 0x00, 0x0f, 1 }, /* nop, constants */
    { 0x10, 0x10, 2 }, /* bipush */
    { 0x11, 0x11, 3 }, /* sipush */
    { 0x12, 0x12, 2 }, /* ldc */
    { 0x13, 0x14, 3 }, /* ldc_w, ldc2_w */
    { 0x15, 0x19, 2 }, /* iload to aload */
    { 0x1a, 0x2d, 1 }, /* iload_0 to aload_3 */
    { 0x57, 0x58, 1 }, /* pop, pop2 */
    { 0x85, 0x93, 1 }, /* conversions */
    { 0xb4, 0xb4, 3 }, /* getfield */
    { 0xc0, 0xc0, 3 }, /* checkcast */
    { 203, 210, 3 },   /* fast_agetfield to fast_sgetfield */
    { 220, 220, 1 },   /* fast_aload_0 */
    { 221, 223, 4 },   /* fast_iaccess_0 to fast_faccess_0: aload_0 and getfield */
    { 224, 224, 2 },   /* fast_iload */
    { 225, 225, 4 },   /* fast_iload2 */
};

static uint8_t length_of(uint8_t bytecode)
{
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
        if (bytecode >= harmless[i].first && bytecode <= harmless[i].last)
            return harmless[i].length;
    }
    return 0;
}

static bool is_return(uint8_t bytecode)
{
    return bytecode >= 0xac && bytecode <= 0xb1;
}

/* Where the only call is. */
static bool find_call(const uint8_t *code, uint32_t size, uint32_t *ret_bci)
{
    uint32_t at = 0, n_calls = 0;

    while (at < size) {
        bool is_call = code[at] == INVOKESTATIC || code[at] == INVOKESPECIAL;
        uint32_t length = is_call ? INVOKE_LENGTH : length_of(code[at]);

        if (is_return(code[at]))
            return n_calls == 1 && at + 1 == size;
        if (length == 0 || length > size - at || n_calls + is_call > 1)
            return false;
        if (is_call)
            *ret_bci = at;
        n_calls += is_call;
        at += length;
    }
    return false;
}

/* What the class has found out that the call at @call leads to. */
static bool resolve(pid_t pid, const struct hotspot_layout *l, uint64_t pool, const uint8_t *call,
                    struct hotspot_forward *ret)
{
    enum { RESOLVED_SHIFT = 16 }; /* _indices: of the constant, and the byte code it is found for */
    uint64_t cache, indices, at;
    uint16_t number;

    memcpy(&number, call + 1, sizeof(number));
    if (!target_memory_u64(pid, pool + l->pool_cache, &cache))
        return false;

    uint64_t entry = cache + l->cache_size + (uint64_t)number * l->entry_size;

    if (!target_memory_u64(pid, entry + l->entry_indices, &indices) ||
        (indices >> RESOLVED_SHIFT & 0xff) != *call ||
        !target_memory_u64(pid, entry + l->entry_f1, &ret->method) ||
        !target_memory_u64(pid, ret->method + l->method_const, &at))
        return false;
    ret->check = hotspot_check(at);
    return true;
}

static bool has_entries(const struct hotspot_layout *l)
{
    const uint16_t needed[] = { l->pool_cache, l->cache_size, l->entry_size, l->entry_indices,
                                l->entry_f1 };

    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (needed[i] == HOTSPOT_NO_FIELD)
            return false;
    }
    return true;
}

bool hotspot_forward_read(pid_t pid, const struct hotspot_layout *l, uint64_t method,
                          struct hotspot_forward *ret_forward)
{
    struct hotspot_forward forward = { 0 };
    uint64_t at, pool;
    uint8_t code[CODE_MAX];
    uint16_t size;

    if (!has_entries(l) || !target_memory_u64(pid, method + l->method_const, &at) ||
        !target_memory_read(pid, at + l->const_code_size, &size, sizeof(size)) || size > CODE_MAX ||
        !target_memory_read(pid, at + l->const_size, code, size) ||
        !find_call(code, size, &forward.bci) ||
        !target_memory_u64(pid, at + l->const_constants, &pool) ||
        !resolve(pid, l, pool, code + forward.bci, &forward))
        return false;
    *ret_forward = forward;
    return true;
}
