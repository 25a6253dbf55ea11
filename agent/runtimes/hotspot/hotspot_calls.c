/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_calls.h"

#include "agent/runtimes/hotspot/hotspot_bytecode.h"
#include "agent/runtimes/target_memory.h"

#include <string.h>

enum {
    WORD = 8,
    METHODS_MAX = 256, /* of a class */
    SUPERS_MAX = 8,
    INDEX_MAX = 4096, /* of a method among a class's; an address is larger */
};

/* What a class has found out of a call. */
struct entry {
    uint16_t constant;    /* what is called, among the class's constants */
    uint8_t bytecodes[2]; /* for which it has been found out */
    uint64_t method;      /* 0: that depends on the receiver */
};

/* A method's name and signature: addresses of Symbols, which are there once. */
struct signature {
    uint64_t name, types;
};

bool hotspot_code_read(pid_t pid, const struct hotspot_layout *l, uint64_t method,
                       struct hotspot_code *ret)
{
    uint16_t size = 0;

    ret->method = method;
    if (!target_memory_u64(pid, method + l->method_const, &ret->const_method) ||
        !target_memory_u64(pid, ret->const_method + l->const_constants, &ret->pool) ||
        !target_memory_read(pid, ret->const_method + l->const_code_size, &size, sizeof(size)) ||
        size > HOTSPOT_CODE_MAX ||
        !target_memory_read(pid, ret->const_method + l->const_size, ret->bytes, size))
        return false;
    ret->size = size;
    return true;
}

/* JDK 22 and newer: a pointer, one of several things, and then these. */
static bool read_resolved_entry(pid_t pid, const struct hotspot_layout *l, uint64_t cache,
                                uint16_t number, struct entry *ret)
{
    enum { AT = 16, SIZE = 24, BYTECODES = 6 };
    unsigned char bytes[SIZE];
    uint64_t array;
    uint32_t n;

    if (l->resolved_constant != AT || l->resolved_size != SIZE ||
        !target_memory_u64(pid, cache + l->cache_resolved, &array) ||
        !target_memory_read(pid, array, &n, sizeof(n)) || number >= n ||
        !target_memory_read(pid, array + l->resolved_data + (uint64_t)number * SIZE, bytes, SIZE))
        return false;
    memcpy(&ret->constant, bytes + AT, sizeof(ret->constant));
    memcpy(ret->bytecodes, bytes + AT + BYTECODES, sizeof(ret->bytecodes));
    memcpy(&ret->method, bytes, sizeof(ret->method));
    return true;
}

/* A method that is the same for all is in _f1, or when an instance is needed for it, in _f2. */
static bool read_cache_entry(pid_t pid, const struct hotspot_layout *l, uint64_t cache,
                             uint16_t number, struct entry *ret)
{
    uint64_t at = cache + l->cache_size + (uint64_t)number * l->entry_size;
    uint64_t indices, f1, f2;

    if (!target_memory_u64(pid, at + l->entry_indices, &indices) ||
        !target_memory_u64(pid, at + l->entry_f1, &f1) ||
        !target_memory_u64(pid, at + l->entry_f2, &f2))
        return false;
    ret->constant = (uint16_t)indices;
    ret->bytecodes[0] = (uint8_t)(indices >> 16);
    ret->bytecodes[1] = (uint8_t)(indices >> 24);
    ret->method =
        ret->bytecodes[0] == JAVA_INVOKESTATIC || ret->bytecodes[0] == JAVA_INVOKESPECIAL ? f1 : f2;
    return true;
}

static bool read_entry(pid_t pid, const struct hotspot_layout *l, uint64_t pool, uint16_t number,
                       struct entry *ret)
{
    uint64_t cache;

    if (l->pool_cache == HOTSPOT_NO_FIELD || !target_memory_u64(pid, pool + l->pool_cache, &cache))
        return false;
    if (l->cache_resolved != HOTSPOT_NO_FIELD)
        return read_resolved_entry(pid, l, cache, number, ret);
    return l->entry_f2 != HOTSPOT_NO_FIELD && read_cache_entry(pid, l, cache, number, ret);
}

static bool read_constant(pid_t pid, const struct hotspot_layout *l, uint64_t pool, uint16_t index,
                          uint64_t *ret)
{
    return target_memory_u64(pid, pool + l->pool_size + (uint64_t)index * WORD, ret);
}

/* A method's reference is a class and a pair; the pair is a name and a signature. */
static bool read_signature(pid_t pid, const struct hotspot_layout *l, uint64_t pool,
                           uint16_t constant, struct signature *ret)
{
    uint64_t reference, pair;

    return read_constant(pid, l, pool, constant, &reference) &&
           read_constant(pid, l, pool, (uint16_t)(reference >> 16), &pair) &&
           read_constant(pid, l, pool, (uint16_t)pair, &ret->name) &&
           read_constant(pid, l, pool, (uint16_t)(pair >> 16), &ret->types);
}

/* False: @method is none of @klass. */
static bool read_own_signature(pid_t pid, const struct hotspot_layout *l, uint64_t klass,
                               uint64_t method, struct signature *ret)
{
    uint64_t const_method, pool, holder;
    uint16_t name, types;

    return target_memory_u64(pid, method + l->method_const, &const_method) &&
           target_memory_u64(pid, const_method + l->const_constants, &pool) &&
           target_memory_u64(pid, pool + l->pool_holder, &holder) && holder == klass &&
           target_memory_read(pid, const_method + l->const_name, &name, sizeof(name)) &&
           target_memory_read(pid, const_method + l->const_signature, &types, sizeof(types)) &&
           read_constant(pid, l, pool, name, &ret->name) &&
           read_constant(pid, l, pool, types, &ret->types);
}

/* Those of @klass alone; 0: there are none, or it is no class. */
static uint32_t read_methods(pid_t pid, const struct hotspot_layout *l, uint64_t klass,
                             uint64_t ret_methods[METHODS_MAX])
{
    uint64_t array;
    uint32_t n;

    if (!target_memory_u64(pid, klass + l->klass_methods, &array) ||
        !target_memory_read(pid, array, &n, sizeof(n)) || n > METHODS_MAX ||
        !target_memory_read(pid, array + l->methods_data, ret_methods, n * sizeof(*ret_methods)))
        return 0;
    return n;
}

/* 0: it has none of its own. A class's methods are in the order of their names' addresses
 * (share/oops/method.cpp, sort_methods). */
static uint64_t own_method(pid_t pid, const struct hotspot_layout *l, uint64_t klass,
                           const struct signature *wanted, unsigned *n_left)
{
    uint64_t methods[METHODS_MAX];
    uint32_t low = 0, n = read_methods(pid, l, klass, methods), high = n;
    struct signature s = { 0 };

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (*n_left == 0 || !read_own_signature(pid, l, klass, methods[middle], &s))
            return 0;
        --*n_left;
        if (s.name < wanted->name)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low<n && * n_left> 0; low++) {
        --*n_left;
        if (!read_own_signature(pid, l, klass, methods[low], &s) || s.name != wanted->name)
            break;
        if (s.types == wanted->types)
            return methods[low];
    }
    return 0;
}

static uint64_t method_of(pid_t pid, const struct hotspot_layout *l, uint64_t klass,
                          const struct signature *wanted, unsigned *n_left)
{
    uint64_t method = 0;

    for (int i = 0; i < SUPERS_MAX && klass != 0 && method == 0; i++) {
        method = own_method(pid, l, klass, wanted, n_left);
        if (!target_memory_u64(pid, klass + l->klass_super, &klass))
            break;
    }
    return method;
}

static bool runs_around(const struct hotspot_receivers *r, uint64_t method)
{
    for (size_t i = 0; i < r->n_around; i++) {
        if (r->around[i] == method)
            return true;
    }
    return false;
}

/* The only one that those classes have that have any; 0: there is none, or there are more. */
static uint64_t look_up(pid_t pid, const struct hotspot_layout *l, const struct signature *wanted,
                        const struct hotspot_receivers *r)
{
    uint64_t found = 0;

    for (size_t i = 0; i < r->n_classes; i++) {
        uint64_t method = method_of(pid, l, r->classes[i], wanted, r->n_left);

        if (method == 0 || method == found || runs_around(r, method))
            continue;
        if (found != 0)
            return 0;
        found = method;
    }
    return found;
}

bool hotspot_is_class(pid_t pid, const struct hotspot_layout *l, uint64_t addr)
{
    uint64_t methods[METHODS_MAX];
    struct signature s;

    return l->klass_methods != HOTSPOT_NO_FIELD && read_methods(pid, l, addr, methods) > 0 &&
           read_own_signature(pid, l, addr, methods[0], &s);
}

static bool is_method(pid_t pid, const struct hotspot_layout *l, uint64_t method)
{
    uint64_t at;

    return method > INDEX_MAX && target_memory_u64(pid, method + l->method_const, &at);
}

enum hotspot_call hotspot_call_read(pid_t pid, const struct hotspot_layout *l,
                                    const struct hotspot_code *code, uint32_t bci,
                                    const struct hotspot_receivers *receivers, uint64_t *ret_method)
{
    uint8_t bytecode = code->bytes[bci];
    struct entry entry = { 0 };
    struct signature wanted;
    uint16_t number;

    memcpy(&number, code->bytes + bci + 1, sizeof(number));
    if (!read_entry(pid, l, code->pool, number, &entry))
        return HOTSPOT_CALL_ANY;
    if (entry.bytecodes[0] != bytecode && entry.bytecodes[1] != bytecode)
        return HOTSPOT_CALL_NEVER;
    if (bytecode != JAVA_INVOKEINTERFACE && bytecode != JAVA_INVOKEHANDLE &&
        is_method(pid, l, entry.method)) {
        *ret_method = entry.method;
        return runs_around(receivers, entry.method) ? HOTSPOT_CALL_AROUND : HOTSPOT_CALL_KNOWN;
    }
    if (bytecode == JAVA_INVOKEHANDLE || l->klass_methods == HOTSPOT_NO_FIELD ||
        !read_signature(pid, l, code->pool, entry.constant, &wanted))
        return HOTSPOT_CALL_ANY;
    *ret_method = look_up(pid, l, &wanted, receivers);
    return *ret_method ? HOTSPOT_CALL_KNOWN : HOTSPOT_CALL_ANY;
}
