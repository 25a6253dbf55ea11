/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot_scopes.h"

#include "agent/runtimes/hotspot_compressed.h"
#include "agent/runtimes/hotspot_method.h"
#include "agent/runtimes/target_memory.h"

#include <string.h>

enum {
    SIZE_MAX_BYTES = 64 << 20, /* of what one nmethod has of a thing */
    METADATA_MAX = 1 << 20,
    DEPTH_MAX = 1024,
    WORD = 8,
};

/* Where an nmethod has its debug information: runtime addresses. */
struct places {
    uint64_t pcs, pcs_end;
    uint64_t scopes, metadata;
    uint64_t method; /* that was compiled */
};

struct reading {
    pid_t pid;
    const struct hotspot_layout *layout;
    uint64_t nmethod;
    unsigned char header[HOTSPOT_NMETHOD_MAX];
    struct places places;
};

static uint64_t word_of(const struct reading *r, uint16_t off)
{
    uint64_t value;

    memcpy(&value, r->header + off, sizeof(value));
    return value;
}

static uint32_t int_of(const struct reading *r, uint16_t off)
{
    uint32_t value;

    memcpy(&value, r->header + off, sizeof(value));
    return value;
}

static uint32_t sized_int_of(const struct reading *r, uint16_t off, uint16_t width)
{
    return width == 2 ? int_of(r, off) & 0xffff : int_of(r, off);
}

static bool has(uint16_t field)
{
    return field != HOTSPOT_NO_FIELD;
}

/* Where references to methods lie: behind the relocations (24), in the blob's data (23), or at an
 * offset of their own. */
static uint64_t metadata_of(const struct reading *r)
{
    const struct hotspot_layout *l = r->layout;
    uint64_t off;

    if (has(l->blob_mutable_data) && has(l->blob_relocation_size))
        return word_of(r, l->blob_mutable_data) + int_of(r, l->blob_relocation_size);
    off = sized_int_of(r, l->nmethod_metadata, l->nmethod_metadata_width);
    if (has(l->nmethod_immutable))
        off += int_of(r, l->blob_data_offset);
    return r->nmethod + off;
}

static bool find_places(struct reading *r)
{
    const struct hotspot_layout *l = r->layout;
    struct places *p = &r->places;

    p->method = word_of(r, l->nmethod_method);
    p->metadata = metadata_of(r);
    if (has(l->nmethod_immutable)) {
        uint64_t data = word_of(r, l->nmethod_immutable);

        if (!has(l->nmethod_scopes_data))
            return false;
        p->pcs = data + int_of(r, l->nmethod_scopes_pcs);
        p->pcs_end = p->scopes = data + int_of(r, l->nmethod_scopes_data);
    } else {
        p->pcs = r->nmethod + int_of(r, l->nmethod_scopes_pcs);
        p->pcs_end = r->nmethod + int_of(r, l->nmethod_dependencies);
        p->scopes = has(l->nmethod_scopes_begin) ? word_of(r, l->nmethod_scopes_begin)
                                                 : r->nmethod + int_of(r, l->nmethod_scopes_data);
    }
    return p->pcs <= p->pcs_end && p->pcs_end - p->pcs < SIZE_MAX_BYTES;
}

static bool read_int(const struct reading *r, uint64_t addr, int32_t *ret)
{
    return target_memory_read(r->pid, addr, ret, sizeof(*ret));
}

/* The first place at or behind @pc, by halves. 0: there is none, or nothing is known there. */
static uint32_t scope_at(const struct reading *r, uint32_t pc)
{
    const struct hotspot_layout *l = r->layout;
    uint64_t low = 0, n = (r->places.pcs_end - r->places.pcs) / l->pc_desc_size, high = n;
    int32_t value = 0;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (!read_int(r, r->places.pcs + middle * l->pc_desc_size + l->pc_desc_pc, &value))
            return 0;
        if (value < (int32_t)pc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == n ||
        !read_int(r, r->places.pcs + low * l->pc_desc_size + l->pc_desc_scope, &value) || value < 0)
        return 0;
    return (uint32_t)value;
}

static bool read_method(const struct reading *r, uint32_t index, struct hotspot_scope *scope)
{
    uint64_t const_method = 0;

    if (index == 0 || index > METADATA_MAX ||
        !target_memory_u64(r->pid, r->places.metadata + (uint64_t)(index - 1) * WORD,
                           &scope->method) ||
        !target_memory_u64(r->pid, scope->method + r->layout->method_const, &const_method))
        return false;
    scope->check = hotspot_check(const_method);
    return true;
}

/* A scope begins with where its caller's lies, before it, then the method and the place in it,
 * which counts from -1: on entry. */
static bool read_scope(const struct reading *r, uint32_t off, struct hotspot_scope *ret,
                       uint32_t *ret_caller)
{
    enum { BYTES = 16, BCI_BIAS = 1 };
    unsigned char bytes[BYTES];
    struct hotspot_compressed c = { bytes, bytes + BYTES,
                                    r->layout->major >= HOTSPOT_NO_ZERO_SINCE };

    if (!target_memory_read(r->pid, r->places.scopes + off, bytes, BYTES))
        return false;
    *ret_caller = hotspot_compressed_u32(&c);

    uint32_t index = hotspot_compressed_u32(&c), bci = hotspot_compressed_u32(&c);

    ret->bci = bci > 0 ? bci - BCI_BIAS : 0;
    return bci <= UINT16_MAX && *ret_caller < off && read_method(r, index, ret);
}

/* False: what was read cannot be of that nmethod. */
static bool read_scopes(const struct reading *r, uint32_t off, struct hotspot_scopes *ret)
{
    struct hotspot_scope scope = { 0 };

    ret->n = 0;
    for (int depth = 0; off != 0 && depth < DEPTH_MAX; depth++) {
        if (!read_scope(r, off, &scope, &off))
            return false;
        if (ret->n < HOTSPOT_SCOPES_MAX)
            ret->scopes[ret->n++] = scope;
        else
            ret->is_whole = false;
    }
    return off == 0 && ret->n > 0 && scope.method == r->places.method;
}

/* All that is certain: the method that was compiled. */
static bool read_compiled(const struct reading *r, struct hotspot_scopes *ret)
{
    uint64_t const_method = 0;

    if (!target_memory_u64(r->pid, r->places.method + r->layout->method_const, &const_method))
        return false;
    ret->scopes[0] = (struct hotspot_scope){ .method = r->places.method,
                                             .check = hotspot_check(const_method),
                                             .bci = HOTSPOT_BCI_UNKNOWN };
    ret->n = 1;
    return true;
}

bool hotspot_scopes_read(pid_t pid, const struct hotspot_layout *layout, uint64_t nmethod,
                         uint32_t compile_id, uint32_t pc, struct hotspot_scopes *ret_scopes)
{
    struct reading r = { .pid = pid, .layout = layout, .nmethod = nmethod };
    struct hotspot_scopes s = { .is_whole = true };
    uint32_t id = 0, off;

    if (!target_memory_read(pid, nmethod, r.header, layout->nmethod_size) ||
        int_of(&r, layout->nmethod_compile_id) != compile_id)
        return false;
    s.level = r.header[layout->nmethod_comp_level];
    off = find_places(&r) ? scope_at(&r, pc) : 0;
    if ((off == 0 || !read_scopes(&r, off, &s)) && !read_compiled(&r, &s))
        return false;
    /* Still the same one? */
    if (!target_memory_read(pid, nmethod + layout->nmethod_compile_id, &id, sizeof(id)) ||
        id != compile_id)
        return false;
    *ret_scopes = s;
    return true;
}
