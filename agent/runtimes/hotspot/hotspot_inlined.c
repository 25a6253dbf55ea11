/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_inlined.h"

#include "agent/runtimes/hotspot/hotspot_bytecode.h"
#include "agent/runtimes/hotspot/hotspot_calls.h"
#include "agent/runtimes/hotspot/hotspot_method.h"

#include <string.h>

enum {
    DEPTH_MAX = 6,
    READ_MAX = 256,  /* methods, for one answer */
    LOOK_MAX = 2048, /* methods of classes, the same */
    SITES_MAX = 16,
};

/* A part of a method's byte code, and what runs around it. */
struct span {
    const struct hotspot_scopes *scopes;
    size_t index; /* of the method there */
    uint32_t from, to;
};

/* What may take the time. */
struct found {
    struct span span; /* of the first one */
    size_t n;
    bool is_spread;  /* not all are in that span */
    uint32_t bci;    /* of the call, or of the only loop's end */
    uint64_t method; /* that is called; 0: not known, or a loop of the method itself */
};

/* What may yet be read of a target that means harm. */
struct budget {
    unsigned n_reads, n_looks;
};

struct question {
    const struct hotspot_inlining *in;
    struct budget *left;
    uint64_t around[HOTSPOT_SCOPES_MAX]; /* the methods that run there */
    size_t n_around;
    struct found found;
};

static bool read_code(struct question *q, uint64_t method, struct hotspot_code *ret)
{
    if (q->left->n_reads == 0)
        return false;
    q->left->n_reads--;
    return hotspot_code_read(q->in->pid, q->in->layout, method, ret);
}

/* Is there a call left in that part of the method? */
static bool has_call(const struct hotspot_inlining *in, uint64_t method, uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < in->n_calls; i++) {
        const struct hotspot_site *site = &in->calls[i];

        if (site->method == method && site->bci >= from && site->bci <= to)
            return true;
    }
    return false;
}

/* Calls in a method that may take time. */
struct sites {
    uint32_t bcis[SITES_MAX];
    size_t n;
};

static bool has_site(const struct sites *sites, uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < sites->n; i++) {
        if (sites->bcis[i] >= from && sites->bcis[i] <= to)
            return true;
    }
    return false;
}

static void add_site(struct sites *sites, uint32_t bci)
{
    if (sites->n < SITES_MAX)
        sites->bcis[sites->n++] = bci;
}

/* How many loops without a call touch that part, and are not around one of @inner, which has a loop
 * of its own; *ret_bci: where the last of them jumps back. */
static unsigned count_loops(const struct hotspot_inlining *in, const struct hotspot_code *code,
                            const struct span *part, const struct sites *inner, uint32_t *ret_bci)
{
    uint32_t length, back;
    unsigned n = 0;

    for (uint32_t at = 0; at < code->size; at += length) {
        length = hotspot_bytecode_length(code->bytes, code->size, at);
        if (length == 0)
            return 2; /* who knows */
        if (at < part->from || !hotspot_bytecode_jumps_back(code->bytes, code->size, at, &back) ||
            back >= part->to || has_call(in, code->method, back, at) || has_site(inner, back, at))
            continue;
        n++;
        *ret_bci = at;
    }
    return n;
}

static bool may_take_time(struct question *q, uint64_t method, int depth);

/* Is there a call at @bci that was inlined and may take time? One of a method to itself is not it:
 * what takes time there does so in the outer one. */
static bool is_heavy(struct question *q, const struct hotspot_code *code, uint32_t bci, int depth,
                     uint64_t *ret_method)
{
    const struct hotspot_inlining *in = q->in;
    const struct hotspot_receivers receivers = { in->classes, in->n_classes, q->around, q->n_around,
                                                 &q->left->n_looks };

    *ret_method = 0;
    if (!hotspot_bytecode_is_call(code->bytes[bci]) || has_call(in, code->method, bci, bci))
        return false;
    switch (hotspot_call_read(in->pid, in->layout, code, bci, &receivers, ret_method)) {
    case HOTSPOT_CALL_NEVER:
    case HOTSPOT_CALL_AROUND:
        return false;
    case HOTSPOT_CALL_KNOWN:
        return may_take_time(q, *ret_method, depth);
    case HOTSPOT_CALL_ANY:
        break;
    }
    return true;
}

static bool calls_heavy(struct question *q, const struct hotspot_code *code, int depth)
{
    uint32_t length;
    uint64_t method;

    for (uint32_t at = 0; at < code->size; at += length) {
        length = hotspot_bytecode_length(code->bytes, code->size, at);
        if (length == 0 || is_heavy(q, code, at, depth, &method))
            return true;
    }
    return false;
}

/* Of native code it is not known, and its loops are never inlined. */
static bool may_take_time(struct question *q, uint64_t method, int depth)
{
    const struct span all = { .to = HOTSPOT_BCI_UNKNOWN };
    const struct sites none = { 0 };
    struct hotspot_code code;
    uint32_t bci;

    return depth >= DEPTH_MAX || !read_code(q, method, &code) ||
           count_loops(q->in, &code, &all, &none, &bci) > 0 || calls_heavy(q, &code, depth + 1);
}

static void find(struct question *q, const struct span *span, uint32_t bci, uint64_t method)
{
    struct found *f = &q->found;

    bool is_same_span = f->span.scopes == span->scopes && f->span.index == span->index;

    if (f->n == 0 || (f->n == 1 && method != 0 && method == f->method && !is_same_span))
        *f = (struct found){ *span, 1, false, bci, method }; /* the outermost call of it will do */
    else if (method == 0 || method != f->method) {
        f->n++;
        f->is_spread = f->is_spread || !is_same_span;
    }
}

/* @sites: calls in the method by which others have been found. */
static void find_in(struct question *q, const struct span *span, bool with_loops,
                    struct sites sites)
{
    struct hotspot_code code;
    uint32_t length, bci = 0;
    uint64_t method;
    unsigned n_loops;

    q->n_around = 0;
    for (size_t i = span->index; i < span->scopes->n; i++)
        q->around[q->n_around++] = span->scopes->scopes[i].method;
    if (!read_code(q, q->around[0], &code)) {
        q->found.n = 2; /* there may be anything */
        q->found.is_spread = true;
        return;
    }
    for (uint32_t at = 0; at < code.size && at < span->to; at += length) {
        length = hotspot_bytecode_length(code.bytes, code.size, at);
        if (length == 0)
            break;
        if (at < span->from || !is_heavy(q, &code, at, 0, &method))
            continue;
        find(q, span, at, method);
        add_site(&sites, at);
    }
    if (!q->in->is_inner)
        sites.n = 0;
    n_loops = with_loops ? count_loops(q->in, &code, span, &sites, &bci) : 0;
    if (n_loops > 0)
        find(q, span, n_loops == 1 ? bci : HOTSPOT_BCI_UNKNOWN, 0);
}

static bool push(struct hotspot_scopes *s, const struct hotspot_inlining *in, uint64_t method)
{
    struct hotspot_code code;

    if (s->n == HOTSPOT_SCOPES_MAX || !hotspot_code_read(in->pid, in->layout, method, &code))
        return false;
    memmove(s->scopes + 1, s->scopes, s->n++ * sizeof(*s->scopes));
    s->scopes[0] = (struct hotspot_scope){ .method = method,
                                           .check = hotspot_check(code.const_method),
                                           .bci = HOTSPOT_BCI_UNKNOWN };
    return true;
}

/* What runs around a method, and it itself, at @bci. */
static struct hotspot_scopes around(const struct hotspot_scopes *s, size_t index, uint32_t bci)
{
    struct hotspot_scopes ret = { .n = s->n - index, .level = s->level };

    memcpy(ret.scopes, s->scopes + index, ret.n * sizeof(*ret.scopes));
    ret.scopes[0].bci = bci;
    return ret;
}

/* From a method on to what it calls, as long as only one call can be it. */
static void descend(const struct hotspot_inlining *in, struct budget *left, uint64_t method,
                    struct hotspot_scopes *s)
{
    while (method != 0 && push(s, in, method)) {
        struct question q = { .in = in, .left = left };
        struct span all = { .scopes = s, .to = HOTSPOT_BCI_UNKNOWN };

        find_in(&q, &all, true, (struct sites){ 0 });
        if (q.found.n != 1)
            return;
        s->scopes[0].bci = q.found.bci;
        method = q.found.method;
    }
}

static struct hotspot_scopes answer(const struct question *q)
{
    const struct found *f = &q->found;
    struct hotspot_scopes ret = around(f->span.scopes, f->span.index, f->bci);

    descend(q->in, q->left, f->method, &ret);
    return ret;
}

/* How many of the outermost methods make the same call on the way to both. */
static size_t n_shared(const struct hotspot_scopes *a, const struct hotspot_scopes *b)
{
    size_t n = 0;

    while (n + 1 < a->n && n + 1 < b->n &&
           a->scopes[a->n - 1 - n].method == b->scopes[b->n - 1 - n].method &&
           a->scopes[a->n - 1 - n].bci == b->scopes[b->n - 1 - n].bci)
        n++;
    return n;
}

/* From the first to the second place, @is_inner: which is one of a method that it calls. */
static bool is_around_loop(uint32_t from, uint32_t to, bool is_inner)
{
    return from > to || (from == to && to > 0 && !is_inner);
}

/* In the first @n of those methods, innermost first: what comes before their places, or behind
 * them. If any is found, their call in the next one is added to @sites. */
static void find_in_calls(struct question *q, const struct hotspot_scopes *s, size_t n,
                          bool is_before, struct sites *sites)
{
    struct sites inner = { 0 };
    size_t n_found = q->found.n;

    for (size_t i = 0; i < n; i++) {
        uint32_t at = s->scopes[i].bci;
        struct span span = { s, i, is_before ? 0 : at + (i > 0),
                             is_before ? at : HOTSPOT_BCI_UNKNOWN };

        find_in(q, &span, true, inner);
        inner.n = 0;
        if (q->found.n > n_found)
            add_site(i + 1 < n ? &inner : sites, s->scopes[i + 1].bci);
    }
}

bool hotspot_inlined_between(const struct hotspot_inlining *in, const struct hotspot_scopes *before,
                             const struct hotspot_scopes *behind, struct hotspot_scopes *ret_scopes)
{
    struct budget left = { READ_MAX, LOOK_MAX };
    struct question q = { .in = in, .left = &left };
    size_t n = n_shared(before, behind);
    size_t at_before = before->n - 1 - n, at_behind = behind->n - 1 - n;
    const struct hotspot_scope *from = &before->scopes[at_before], *to = &behind->scopes[at_behind];
    struct span span = { behind, at_behind, from->bci + (at_before > 0), to->bci };
    struct sites sites = { 0 };

    if (from->method != to->method)
        return false;
    if (is_around_loop(from->bci, to->bci, at_behind > 0)) {
        span.from = 0;
        span.to = HOTSPOT_BCI_UNKNOWN;
    }
    find_in_calls(&q, before, at_before, false, &sites);
    find_in_calls(&q, behind, at_behind, true, &sites);
    find_in(&q, &span, true, sites);
    if (q.found.n == 0)
        return false;
    if (q.found.n == 1)
        *ret_scopes = answer(&q);
    else if (!q.found.is_spread)
        *ret_scopes = around(q.found.span.scopes, q.found.span.index, HOTSPOT_BCI_UNKNOWN);
    else
        *ret_scopes = around(behind, at_behind, HOTSPOT_BCI_UNKNOWN);
    return true;
}

bool hotspot_inlined_before(const struct hotspot_inlining *in, const struct hotspot_scopes *behind,
                            struct hotspot_scopes *ret_scopes)
{
    struct budget left = { READ_MAX, LOOK_MAX };
    struct question q = { .in = in, .left = &left };
    struct span span = { behind, 0, 0, behind->scopes[0].bci };

    find_in(&q, &span, false, (struct sites){ 0 });
    if (q.found.n != 1)
        return false;
    *ret_scopes = answer(&q);
    return true;
}
