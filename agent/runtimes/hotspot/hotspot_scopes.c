/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_scopes.h"

#include "agent/runtimes/hotspot/hotspot_compressed.h"
#include "agent/runtimes/hotspot/hotspot_forward.h"
#include "agent/runtimes/hotspot/hotspot_method.h"
#include "agent/runtimes/target_memory.h"

#include <string.h>

enum {
    SIZE_MAX_BYTES = 64 << 20, /* of what one nmethod has of a thing */
    METADATA_MAX = 1 << 20,
    DEPTH_MAX = 256, /* HotSpot itself stops at 15, or some tens with method handles */
    WINDOW = 4096,
    WINDOWS_MAX = 16,
    SCOPE_BYTES = 16, /* enough for three numbers */
    FORWARDS_MAX = 8, /* one behind the other */
    FORWARD_PCS_MAX = 64,
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
    if (!has(l->nmethod_metadata))
        return 0;
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

static bool read_place(const struct reading *r, uint64_t i, uint16_t field, int32_t *ret)
{
    return read_int(r, r->places.pcs + i * r->layout->pc_desc_size + field, ret);
}

/* Does the place before the one behind @pc tell more of it? C1 notes many places, and puts the test
 * of a loop behind that of its end; C2 notes none in a loop but that. */
static bool is_before_nearer(const struct reading *r, uint64_t behind, uint32_t pc)
{
    const struct hotspot_layout *l = r->layout;
    int32_t from, to;

    return r->header[l->nmethod_comp_level] <= HOTSPOT_LEVEL_C1_MAX && behind > 0 &&
           read_place(r, behind - 1, l->pc_desc_pc, &from) &&
           read_place(r, behind, l->pc_desc_pc, &to) && from >= 0 &&
           (int64_t)pc - from < to - (int64_t)pc;
}

/* The place at @pc or behind it, by halves, or the one before. 0: there is none, or nothing is
 * known there. *ret_is_exact: it is of that very place. */
static uint32_t scope_at(const struct reading *r, uint32_t pc, bool *ret_is_exact)
{
    const struct hotspot_layout *l = r->layout;
    uint64_t low = 0, n = (r->places.pcs_end - r->places.pcs) / l->pc_desc_size, high = n;
    int32_t value = 0;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (!read_place(r, middle, l->pc_desc_pc, &value))
            return 0;
        if (value < (int32_t)pc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == n || !read_place(r, low, l->pc_desc_pc, &value))
        return 0;
    *ret_is_exact = value == (int32_t)pc;
    if (is_before_nearer(r, low, pc))
        low--;
    return read_place(r, low, l->pc_desc_scope, &value) && value > 0 ? (uint32_t)value : 0;
}

/* What is read of the scopes: callers lie before what they call, mostly near it. */
struct window {
    uint32_t start, end;
    unsigned n_read;
    unsigned char bytes[WINDOW];
};

static const unsigned char *look_at(const struct reading *r, struct window *w, uint32_t off)
{
    if (off < w->start || off + SCOPE_BYTES > w->end) {
        uint32_t start = off + SCOPE_BYTES > WINDOW ? off + SCOPE_BYTES - WINDOW : 0;

        w->end = 0;
        if (++w->n_read > WINDOWS_MAX || !target_memory_read(r->pid, r->places.scopes + start,
                                                             w->bytes, off + SCOPE_BYTES - start))
            return NULL;
        w->start = start;
        w->end = off + SCOPE_BYTES;
    }
    return w->bytes + (off - w->start);
}

struct entry {
    uint32_t caller; /* where it lies, before this one; 0: there is none */
    uint32_t method; /* among the metadata, from 1 on */
    uint32_t bci;    /* from -1 on, on entry */
};

static bool read_entry(const struct reading *r, struct window *w, uint32_t off, struct entry *ret)
{
    const unsigned char *bytes = look_at(r, w, off);
    struct hotspot_compressed c = { bytes, bytes ? bytes + SCOPE_BYTES : NULL,
                                    r->layout->major >= HOTSPOT_NO_ZERO_SINCE };

    if (!bytes)
        return false;
    ret->caller = hotspot_compressed_u32(&c);
    ret->method = hotspot_compressed_u32(&c);
    ret->bci = hotspot_compressed_u32(&c);
    return ret->caller < off && ret->bci <= UINT16_MAX;
}

static bool read_scope(const struct reading *r, const struct entry *entry,
                       struct hotspot_scope *ret)
{
    uint64_t const_method = 0;

    if (entry->method == 0 || entry->method > METADATA_MAX ||
        !target_memory_u64(r->pid, r->places.metadata + (uint64_t)(entry->method - 1) * WORD,
                           &ret->method) ||
        !target_memory_u64(r->pid, ret->method + r->layout->method_const, &const_method))
        return false;
    ret->check = hotspot_check(const_method);
    ret->bci = entry->bci > 0 ? entry->bci - 1 : 0;
    return true;
}

/* False: what was read cannot be of that nmethod. */
static bool read_scopes(const struct reading *r, uint32_t off, struct hotspot_scopes *ret)
{
    struct window window = { 0 };
    struct entry entry = { 0 };
    struct hotspot_scope root;

    ret->n = 0;
    for (int depth = 0; off != 0 && depth < DEPTH_MAX; depth++) {
        if (!read_entry(r, &window, off, &entry))
            return false;
        if (ret->n < HOTSPOT_SCOPES_MAX && !read_scope(r, &entry, &ret->scopes[ret->n++]))
            return false;
        off = entry.caller;
    }
    if (off != 0 || ret->n == 0 || !read_scope(r, &entry, &root) || root.method != r->places.method)
        return false;
    ret->scopes[ret->n - 1] = root;
    return true;
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

/* Does the compiled code call somebody from that place? Of code with many places it is not asked.
 */
static bool has_call(const struct reading *r, const struct hotspot_forward *forward,
                     uint64_t caller)
{
    const struct hotspot_layout *l = r->layout;
    uint64_t n = (r->places.pcs_end - r->places.pcs) / l->pc_desc_size;
    struct window window = { 0 };
    struct hotspot_scope scope;
    struct entry entry;
    int32_t off;

    if (n > FORWARD_PCS_MAX)
        return true;
    for (uint64_t i = 0; i < n; i++) {
        if (!read_place(r, i, l->pc_desc_scope, &off))
            return true;
        if (off <= 0)
            continue;
        if (!read_entry(r, &window, (uint32_t)off, &entry) || !read_scope(r, &entry, &scope) ||
            (scope.method == caller && scope.bci == forward->bci))
            return true;
    }
    return false;
}

/*
 * C2 keeps no note of a loop without a place where the thread can stop. Where such a place lies in
 * a method that only calls another one, and there is no call left of that, it is the other one's.
 */
static void follow_forwards(const struct reading *r, struct hotspot_scopes *s)
{
    struct hotspot_forward forward;

    for (int i = 0; i < FORWARDS_MAX && s->n < HOTSPOT_SCOPES_MAX; i++) {
        struct hotspot_scope *innermost = &s->scopes[0];

        if (!hotspot_forward_read(r->pid, r->layout, innermost->method, &forward) ||
            innermost->bci <= forward.bci || has_call(r, &forward, innermost->method))
            return;
        innermost->bci = forward.bci;
        memmove(s->scopes + 1, s->scopes, s->n++ * sizeof(*s->scopes));
        s->scopes[0] = (struct hotspot_scope){ .method = forward.method,
                                               .check = forward.check,
                                               .bci = HOTSPOT_BCI_UNKNOWN };
    }
}

bool hotspot_scopes_read(pid_t pid, const struct hotspot_layout *layout, uint64_t nmethod,
                         uint32_t compile_id, uint32_t pc, struct hotspot_scopes *ret_scopes)
{
    struct reading r = { .pid = pid, .layout = layout, .nmethod = nmethod };
    struct hotspot_scopes s = { 0 };
    uint32_t id = 0, off;
    bool is_exact = false, has_places;

    if (!target_memory_read(pid, nmethod, r.header, layout->nmethod_size) ||
        int_of(&r, layout->nmethod_compile_id) != compile_id)
        return false;
    s.level = r.header[layout->nmethod_comp_level];
    has_places = find_places(&r);
    off = has_places ? scope_at(&r, pc, &is_exact) : 0;
    if ((off == 0 || !read_scopes(&r, off, &s)) && !read_compiled(&r, &s))
        return false;
    if (has_places && !is_exact && s.level > HOTSPOT_LEVEL_C1_MAX)
        follow_forwards(&r, &s);
    /* Still the same one? */
    if (!target_memory_read(pid, nmethod + layout->nmethod_compile_id, &id, sizeof(id)) ||
        id != compile_id)
        return false;
    *ret_scopes = s;
    return true;
}
