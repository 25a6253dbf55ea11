/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_unnoted.h"

#include "agent/runtimes/hotspot/hotspot_calls.h"
#include "agent/runtimes/hotspot/hotspot_inlined.h"
#include "agent/runtimes/hotspot/hotspot_method.h"
#include "agent/runtimes/target_memory.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    ALL_SCOPES_MAX = 256 * 1024,
    CALLED_MAX = 1024, /* methods that notes of calls name */
    CLASSES_MORE = 16, /* than these */
    CLASSES_MAX = 32,
    WORD = 8,
};

/* All that the compiler noted of a method, and the code. Owned. */
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
static bool read_notes(const struct hotspot_nmethod *nm, struct noted *ret)
{
    const struct hotspot_layout *l = nm->layout;
    size_t size = nm->pcs_end - nm->pcs, n = size / l->pc_desc_size;

    if (n < 2 || n - 2 > HOTSPOT_FLOW_NOTES_MAX)
        return false;
    _cleanup_free_ unsigned char *bytes = mem_alloc(size);
    if (!target_memory_read(nm->pid, nm->pcs, bytes, size))
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

static bool read_code(const struct hotspot_nmethod *nm, struct noted *ret)
{
    if (ret->code_size > HOTSPOT_FLOW_CODE_MAX)
        return false;
    ret->code = mem_alloc(ret->code_size);
    return target_memory_read(nm->pid, hotspot_nmethod_code(nm), ret->code, ret->code_size);
}

/* All scopes at once: @ret_with looks at them here. */
static bool read_all_scopes(const struct hotspot_nmethod *nm, struct noted *ret,
                            struct hotspot_nmethod *ret_with)
{
    uint32_t size = 0;

    for (size_t i = 0; i < ret->n_notes; i++)
        size = ret->notes[i].scope > size ? ret->notes[i].scope : size;
    if (size > ALL_SCOPES_MAX)
        return false;
    size += HOTSPOT_SCOPE_BYTES;
    ret->scopes = mem_alloc(size);
    if (!target_memory_read(nm->pid, nm->scopes, ret->scopes, size))
        return false;
    *ret_with = *nm;
    ret_with->all_scopes = ret->scopes;
    ret_with->n_all_scopes = size;
    return true;
}

/* The compiled code knows methods as well. */
static void keep_classes(const struct hotspot_nmethod *nm, struct noted *n)
{
    size_t n_classes = 0;

    for (size_t i = 0; i < n->n_metadata && n_classes < CLASSES_MAX; i++) {
        if (hotspot_is_class(nm->pid, nm->layout, n->metadata[i]))
            n->metadata[n_classes++] = n->metadata[i];
    }
    n->n_metadata = n_classes;
}

/* Which calls are left: of each note that is of one, the innermost method, and where in it. */
static bool read_calls(const struct hotspot_nmethod *nm, struct noted *n)
{
    uint32_t max = 0, method, bci;

    n->calls = mem_array(n->n_notes, sizeof(*n->calls));
    for (size_t i = 0; i < n->n_notes; i++) {
        if (!n->notes[i].is_call)
            continue;
        if (!hotspot_nmethod_innermost(nm, n->notes[i].scope, &method, &bci) || method > CALLED_MAX)
            return false;
        n->calls[n->n_calls++] = (struct hotspot_site){ method, bci };
        max = method > max ? method : max;
    }
    n->metadata = mem_array(max + CLASSES_MORE, sizeof(*n->metadata));
    n->n_metadata = max + CLASSES_MORE;
    if (!target_memory_read(nm->pid, nm->metadata, n->metadata, n->n_metadata * WORD)) {
        n->n_metadata = max;
        if (!target_memory_read(nm->pid, nm->metadata, n->metadata, (size_t)max * WORD))
            return false;
    }
    for (size_t i = 0; i < n->n_calls; i++)
        n->calls[i].method = n->calls[i].method ? n->metadata[n->calls[i].method - 1] : 0;
    keep_classes(nm, n);
    return true;
}

/* What runs at a note, or where there is none, at the method's beginning or end. */
static bool read_note(const struct hotspot_nmethod *nm, const struct noted *n, int note,
                      uint32_t bci, struct hotspot_scopes *ret)
{
    if (note != HOTSPOT_FLOW_NONE)
        return hotspot_nmethod_scopes(nm, n->notes[note].scope, ret);
    if (!hotspot_nmethod_compiled(nm, ret))
        return false;
    ret->scopes[0].bci = bci;
    return true;
}

/* In a loop without a note: by what is known before and behind it. */
static bool follow_flow(const struct hotspot_nmethod *nm, const struct hotspot_inlining *in,
                        const struct noted *n, const struct hotspot_flow *flow,
                        struct hotspot_scopes *s)
{
    struct hotspot_scopes before = { .level = s->level }, behind = { .level = s->level };

    if (!read_note(nm, n, flow->before, 0, &before) || before.n == HOTSPOT_SCOPES_MAX ||
        !read_note(nm, n, flow->behind, HOTSPOT_BCI_UNKNOWN, &behind) ||
        behind.n == HOTSPOT_SCOPES_MAX)
        return false;
    if (flow->is_poll ? !hotspot_inlined_before(in, &behind, s)
                      : !hotspot_inlined_between(in, &before, &behind, s))
        *s = behind;
    return true;
}

/* What runs in a loop without a note, or in code that cannot be followed: before @behind. */
static bool read_loop(const struct hotspot_nmethod *nm, struct noted *n,
                      const struct hotspot_flow *flow, const struct hotspot_scopes *behind,
                      struct hotspot_scopes *ret)
{
    struct hotspot_nmethod with;

    if (!read_all_scopes(nm, n, &with) || !read_calls(&with, n))
        return false;

    struct hotspot_inlining in = { nm->pid,  nm->layout, n->metadata,   n->n_metadata,
                                   n->calls, n->n_calls, flow->is_inner };

    return flow->is_loop ? follow_flow(&with, &in, n, flow, ret)
                         : hotspot_inlined_before(&in, behind, ret);
}

static bool is_same_loop(const struct hotspot_flow *a, const struct hotspot_flow *b)
{
    return a->before == b->before && a->behind == b->behind && a->is_inner == b->is_inner &&
           a->is_poll == b->is_poll;
}

static bool find_loop(const struct hotspot_nmethod *nm, struct hotspot_loops *loops,
                      struct noted *n, const struct hotspot_flow *flow, struct hotspot_scopes *ret)
{
    for (size_t i = 0; i < HOTSPOT_LOOPS_MAX; i++) {
        const struct hotspot_loop *known = &loops->known[i];

        if (known->nmethod == nm->addr && known->compile_id == nm->compile_id &&
            is_same_loop(&known->flow, flow)) {
            *ret = known->scopes;
            return true;
        }
    }
    if (!read_loop(nm, n, flow, NULL, ret))
        return false;
    loops->known[loops->next] = (struct hotspot_loop){ nm->addr, nm->compile_id, *flow, *ret };
    loops->next = (loops->next + 1) % HOTSPOT_LOOPS_MAX;
    return true;
}

bool hotspot_unnoted_read(const struct hotspot_nmethod *nm, struct hotspot_loops *loops,
                          uint32_t pc, const struct hotspot_scopes *next,
                          struct hotspot_scopes *ret)
{
    __attribute__((cleanup(noted_release))) struct noted n = { 0 };
    struct hotspot_flow flow = { 0 };

    ret->level = nm->level;
    if (!read_notes(nm, &n))
        return false;
    if (!read_code(nm, &n) ||
        !hotspot_flow_read(n.code, n.code_size, n.notes, n.n_notes, pc, &flow))
        return read_loop(nm, &n, &flow, next, ret);
    if (flow.is_loop && flow.here == HOTSPOT_FLOW_NONE)
        return find_loop(nm, loops, &n, &flow, ret);
    return read_note(nm, &n, flow.here, 0, ret);
}
