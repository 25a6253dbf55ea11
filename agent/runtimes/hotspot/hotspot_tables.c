/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_tables.h"

#include "agent/runtimes/target_memory.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <string.h>

enum { ENTRIES_MAX = 8192, STRIDE_MAX = 256 };

/* Names of types and fields lie together in the image: pieces of it are kept. */
enum { PAGE = 4096, PAGES = 64 };

struct names {
    pid_t pid;
    uint64_t addr[PAGES]; /* 0: nothing is kept */
    char pages[PAGES][PAGE];
};

static const char *page_of(struct names *names, uint64_t addr)
{
    uint64_t base = addr & ~(uint64_t)(PAGE - 1);
    size_t i = base / PAGE % PAGES;

    if (base == 0)
        return NULL;
    if (names->addr[i] != base) {
        names->addr[i] = 0;
        if (!target_memory_read(names->pid, base, names->pages[i], PAGE))
            return NULL;
        names->addr[i] = base;
    }
    return names->pages[i];
}

/* Empty: there is none, or it is too long to be a name that is looked for. */
static void read_name(struct names *names, uint64_t addr, char to[HOTSPOT_FIELD_NAME_MAX])
{
    for (size_t i = 0; i < HOTSPOT_FIELD_NAME_MAX; i++) {
        const char *page = page_of(names, addr + i);

        to[i] = page ? page[(addr + i) % PAGE] : '\0';
        if (to[i] == '\0')
            return;
    }
    to[0] = '\0';
}

struct table {
    unsigned char *bytes; /* owned */
    size_t n, stride;
};

static void table_release(struct table *table)
{
    free(table->bytes);
}

#define _cleanup_table_ __attribute__((cleanup(table_release)))

static uint64_t word_at(const struct table *table, size_t entry, uint64_t off)
{
    uint64_t value;

    memcpy(&value, table->bytes + entry * table->stride + off, sizeof(value));
    return value;
}

/* Reads in pieces, for the table's length is where a name is missing. */
static bool read_table(pid_t pid, uint64_t at, uint64_t stride_at, struct table *ret)
{
    enum { PIECE = 64 };
    uint64_t addr = 0, stride = 0;

    if (!target_memory_u64(pid, at, &addr) || !target_memory_u64(pid, stride_at, &stride) ||
        stride < sizeof(uint64_t) || stride > STRIDE_MAX || addr == 0)
        return false;
    ret->stride = (size_t)stride;
    while (ret->n < ENTRIES_MAX) {
        ret->bytes = mem_grow(ret->bytes, ret->n + PIECE, ret->stride);

        size_t n = PIECE;

        while (n > 0 && !target_memory_read(pid, addr + ret->n * stride,
                                            ret->bytes + ret->n * ret->stride, n * ret->stride))
            n /= 2;
        for (size_t end = ret->n + n; ret->n < end; ret->n++) {
            if (word_at(ret, ret->n, 0) == 0)
                return ret->n > 0;
        }
        if (n < PIECE)
            break;
    }
    return ret->n > 0;
}

/* A column of a table, of words: where it begins in an entry, as the variable at @at says. */
static bool read_column(pid_t pid, uint64_t at, const struct table *table, uint64_t *ret)
{
    return target_memory_u64(pid, at, ret) && *ret <= table->stride - sizeof(uint64_t);
}

bool hotspot_tables_fields(pid_t pid, const struct hotspot_image *image, uint64_t bias,
                           hotspot_field_fn *each, void *arg)
{
    _cleanup_free_ struct names *names = mem_zalloc(sizeof(*names));
    uint64_t type = 0, name = 0, text = 0, is_static = 0, off = 0, addr = 0;
    _cleanup_table_ struct table t = { 0 };
    struct hotspot_field field;

    names->pid = pid;
    if (!read_table(pid, bias + image->structs.table, bias + image->structs.stride, &t) ||
        !read_column(pid, bias + image->structs.type, &t, &type) ||
        !read_column(pid, bias + image->structs.field, &t, &name) ||
        !read_column(pid, bias + image->structs.text, &t, &text) ||
        !read_column(pid, bias + image->structs.is_static, &t, &is_static) ||
        !read_column(pid, bias + image->structs.off, &t, &off) ||
        !read_column(pid, bias + image->structs.addr, &t, &addr))
        return false;
    for (size_t i = 0; i < t.n && word_at(&t, i, type); i++) {
        read_name(names, word_at(&t, i, type), field.type);
        read_name(names, word_at(&t, i, name), field.name);
        field.is_static = (uint32_t)word_at(&t, i, is_static) != 0; /* an int32_t */
        field.value = word_at(&t, i, field.is_static ? addr : off);
        field.text[0] = '\0';
        if (!field.is_static)
            read_name(names, word_at(&t, i, text), field.text);
        each(arg, &field);
    }
    return true;
}

bool hotspot_tables_types(pid_t pid, const struct hotspot_image *image, uint64_t bias,
                          hotspot_type_fn *each, void *arg)
{
    _cleanup_free_ struct names *names = mem_zalloc(sizeof(*names));
    char type[HOTSPOT_FIELD_NAME_MAX];
    _cleanup_table_ struct table t = { 0 };
    uint64_t name = 0, size = 0;

    names->pid = pid;
    if (!read_table(pid, bias + image->types.table, bias + image->types.stride, &t) ||
        !read_column(pid, bias + image->types.name, &t, &name) ||
        !read_column(pid, bias + image->types.size, &t, &size))
        return false;
    for (size_t i = 0; i < t.n && word_at(&t, i, name); i++) {
        read_name(names, word_at(&t, i, name), type);
        each(arg, type, word_at(&t, i, size));
    }
    return true;
}
