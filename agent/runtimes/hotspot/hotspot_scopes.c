/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_scopes.h"

#include "agent/runtimes/hotspot/hotspot_compressed.h"
#include "agent/runtimes/hotspot/hotspot_calls.h"
#include "agent/runtimes/hotspot/hotspot_inlined.h"
#include "agent/runtimes/hotspot/hotspot_method.h"
#include "agent/runtimes/target_memory.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    SIZE_MAX_BYTES = 64 << 20, /* of what one nmethod has of a thing */
    METADATA_MAX = 1 << 20,
    DEPTH_MAX = 256, /* HotSpot itself stops at 15, or some tens with method handles */
    WINDOW = 4096,
    WINDOWS_MAX = 16,
    SCOPE_BYTES = 16, /* enough for three numbers */
    ALL_SCOPES_MAX = 256 * 1024,
    CALLED_MAX = 1024, /* methods that notes of calls name */
    CLASSES_MORE = 16, /* than these */
    CLASSES_MAX = 32,
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
    struct hotspot_loops *loops;
    uint64_t nmethod;
    unsigned char header[HOTSPOT_NMETHOD_MAX];
    struct places places;
    const unsigned char *scopes; /* all of them, or none; borrowed */
    uint32_t n_scopes;           /* bytes */
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
    if (off < r->n_scopes && r->n_scopes - off >= SCOPE_BYTES)
        return r->scopes + off;
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

/* All that the compiler noted of a C2 method, and its code: what hotspot_flow needs, owned. */
struct noted {
    struct hotspot_note *notes;
    size_t n_notes;
    uint8_t *code;
    size_t code_size;
    unsigned char *scopes;
    uint64_t *metadata;
    size_t n_metadata;
    struct hotspot_site *calls;
    size_t n_calls;
};

static void noted_release(struct noted *n)
{
    free(n->notes);
    free(n->code);
    free(n->scopes);
    free(n->metadata);
    free(n->calls);
}

/* The first one stands for what is before the code, the last one for its end. */
static bool read_notes(const struct reading *r, struct noted *ret)
{
    const struct hotspot_layout *l = r->layout;
    size_t size = r->places.pcs_end - r->places.pcs, n = size / l->pc_desc_size;

    if (n < 2 || n - 2 > HOTSPOT_FLOW_NOTES_MAX)
        return false;
    _cleanup_free_ unsigned char *bytes = mem_alloc(size);
    if (!target_memory_read(r->pid, r->places.pcs, bytes, size))
        return false;
    ret->notes = mem_array(n, sizeof(*ret->notes));
    for (size_t i = 1; i < n; i++) {
        int32_t pc, scope;

        memcpy(&pc, bytes + i * l->pc_desc_size + l->pc_desc_pc, sizeof(pc));
        memcpy(&scope, bytes + i * l->pc_desc_size + l->pc_desc_scope, sizeof(scope));
        if (pc < 0 || scope < 0)
            return false;
        if (i == n - 1)
            ret->code_size = (size_t)pc;
        else if (scope > 0)
            ret->notes[ret->n_notes++] =
                (struct hotspot_note){ (uint32_t)pc, (uint32_t)scope, true };
    }
    return true;
}

static bool read_code(const struct reading *r, struct noted *ret)
{
    const struct hotspot_layout *l = r->layout;
    uint64_t begin = has(l->blob_code_begin) ? word_of(r, l->blob_code_begin)
                                             : r->nmethod + int_of(r, l->blob_code_offset);

    if (ret->code_size > HOTSPOT_FLOW_CODE_MAX)
        return false;
    ret->code = mem_alloc(ret->code_size);
    return target_memory_read(r->pid, begin, ret->code, ret->code_size);
}

/* From here on, they are looked at there. */
static bool read_all_scopes(struct reading *r, struct noted *ret)
{
    uint32_t size = 0;

    for (size_t i = 0; i < ret->n_notes; i++)
        size = ret->notes[i].scope > size ? ret->notes[i].scope : size;
    if (size > ALL_SCOPES_MAX)
        return false;
    size += SCOPE_BYTES;
    ret->scopes = mem_alloc(size);
    if (!target_memory_read(r->pid, r->places.scopes, ret->scopes, size))
        return false;
    r->scopes = ret->scopes;
    r->n_scopes = size;
    return true;
}

/* The compiled code knows methods as well. */
static void keep_classes(const struct reading *r, struct noted *n)
{
    size_t n_classes = 0;

    for (size_t i = 0; i < n->n_metadata && n_classes < CLASSES_MAX; i++) {
        if (hotspot_is_class(r->pid, r->layout, n->metadata[i]))
            n->metadata[n_classes++] = n->metadata[i];
    }
    n->n_metadata = n_classes;
}

/* Which calls are left: of each note that is of one, the innermost method, and where in it. */
static bool read_calls(const struct reading *r, struct noted *n)
{
    struct window window = { 0 };
    uint32_t max = 0;
    struct entry entry;

    n->calls = mem_array(n->n_notes, sizeof(*n->calls));
    for (size_t i = 0; i < n->n_notes; i++) {
        if (!n->notes[i].is_call)
            continue;
        if (!read_entry(r, &window, n->notes[i].scope, &entry) || entry.method > CALLED_MAX)
            return false;
        n->calls[n->n_calls++] = (struct hotspot_site){ entry.method, entry.bci - (entry.bci > 0) };
        max = entry.method > max ? entry.method : max;
    }
    n->metadata = mem_array(max + CLASSES_MORE, sizeof(*n->metadata));
    n->n_metadata = max + CLASSES_MORE;
    if (!target_memory_read(r->pid, r->places.metadata, n->metadata, n->n_metadata * WORD)) {
        n->n_metadata = max;
        if (!target_memory_read(r->pid, r->places.metadata, n->metadata, (size_t)max * WORD))
            return false;
    }
    for (size_t i = 0; i < n->n_calls; i++)
        n->calls[i].method = n->calls[i].method ? n->metadata[n->calls[i].method - 1] : 0;
    keep_classes(r, n);
    return true;
}

/* What runs at a note, or where there is none, at the method's beginning or end. */
static bool read_note(const struct reading *r, const struct noted *n, int note, uint32_t bci,
                      struct hotspot_scopes *ret)
{
    if (note != HOTSPOT_FLOW_NONE)
        return read_scopes(r, n->notes[note].scope, ret);
    if (!read_compiled(r, ret))
        return false;
    ret->scopes[0].bci = bci;
    return true;
}

/* In a loop without a note: by what is known before and behind it. */
static bool follow_flow(const struct reading *r, const struct hotspot_inlining *in,
                        const struct noted *n, const struct hotspot_flow *flow,
                        struct hotspot_scopes *s)
{
    struct hotspot_scopes before = { .level = s->level }, behind = { .level = s->level };

    if (!read_note(r, n, flow->before, 0, &before) || before.n == HOTSPOT_SCOPES_MAX ||
        !read_note(r, n, flow->behind, HOTSPOT_BCI_UNKNOWN, &behind) ||
        behind.n == HOTSPOT_SCOPES_MAX)
        return false;
    if (flow->is_poll ? !hotspot_inlined_before(in, &behind, s)
                      : !hotspot_inlined_between(in, &before, &behind, s))
        *s = behind;
    return true;
}

/* What runs in a loop without a note, or in code that cannot be followed: before @behind. */
static bool read_loop(struct reading *r, struct noted *n, const struct hotspot_flow *flow,
                      const struct hotspot_scopes *behind, struct hotspot_scopes *ret)
{
    if (!read_all_scopes(r, n) || !read_calls(r, n))
        return false;

    struct hotspot_inlining in = { r->pid,   r->layout,  n->metadata,   n->n_metadata,
                                   n->calls, n->n_calls, flow->is_inner };

    return flow->is_loop ? follow_flow(r, &in, n, flow, ret)
                         : hotspot_inlined_before(&in, behind, ret);
}

static bool is_same_loop(const struct hotspot_flow *a, const struct hotspot_flow *b)
{
    return a->before == b->before && a->behind == b->behind && a->is_inner == b->is_inner &&
           a->is_poll == b->is_poll;
}

static bool find_loop(struct reading *r, struct noted *n, uint32_t compile_id,
                      const struct hotspot_flow *flow, struct hotspot_scopes *ret)
{
    struct hotspot_loops *loops = r->loops;

    for (size_t i = 0; i < HOTSPOT_LOOPS_MAX; i++) {
        const struct hotspot_loop *known = &loops->known[i];

        if (known->nmethod == r->nmethod && known->compile_id == compile_id &&
            is_same_loop(&known->flow, flow)) {
            *ret = known->scopes;
            return true;
        }
    }
    if (!read_loop(r, n, flow, NULL, ret))
        return false;
    loops->known[loops->next] = (struct hotspot_loop){ r->nmethod, compile_id, *flow, *ret };
    loops->next = (loops->next + 1) % HOTSPOT_LOOPS_MAX;
    return true;
}

/* What runs at a place in C2's code that has no note of its own; @s: at the next one that has. */
static void read_unnoted(struct reading *r, uint32_t compile_id, uint32_t pc,
                         struct hotspot_scopes *s)
{
    __attribute__((cleanup(noted_release))) struct noted n = { 0 };
    struct hotspot_scopes found = { .level = s->level };
    struct hotspot_flow flow = { 0 };
    bool is_found;

    if (!read_notes(r, &n))
        return;
    if (!read_code(r, &n) || !hotspot_flow_read(n.code, n.code_size, n.notes, n.n_notes, pc, &flow))
        is_found = read_loop(r, &n, &flow, s, &found);
    else if (flow.is_loop && flow.here == HOTSPOT_FLOW_NONE)
        is_found = find_loop(r, &n, compile_id, &flow, &found);
    else
        is_found = read_note(r, &n, flow.here, 0, &found);
    if (is_found)
        *s = found;
}

bool hotspot_scopes_read(pid_t pid, const struct hotspot_layout *layout,
                         struct hotspot_loops *loops, uint64_t nmethod, uint32_t compile_id,
                         uint32_t pc, struct hotspot_scopes *ret_scopes)
{
    struct reading r = { .pid = pid, .layout = layout, .loops = loops, .nmethod = nmethod };
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
        read_unnoted(&r, compile_id, pc, &s);
    /* Still the same one? */
    if (!target_memory_read(pid, nmethod + layout->nmethod_compile_id, &id, sizeof(id)) ||
        id != compile_id)
        return false;
    *ret_scopes = s;
    return true;
}
