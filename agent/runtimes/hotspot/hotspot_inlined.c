/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_inlined.h"

#include "agent/runtimes/hotspot/hotspot_bytecode.h"
#include "agent/runtimes/hotspot/hotspot_calls.h"
#include "agent/runtimes/hotspot/hotspot_method.h"

#include <string.h>

enum {
    DEPTH_MAX = 6,
    READ_MAX = 64, /* methods, for one question */
};

/* A part of a method's byte code, and what runs around it. */
struct span {
    const struct hotspot_scopes *scopes;
    size_t index; /* of the method there */
    uint32_t from, to;
};

/* What may take the time. */
struct found {
    struct span span;
    size_t n;
    bool is_call;    /* or else a loop of the method itself */
    uint32_t bci;    /* of the call, or of the only loop's end */
    uint64_t method; /* that is called; 0: not known */
};

struct question {
    const struct hotspot_inlining *in;
    uint64_t around[HOTSPOT_SCOPES_MAX]; /* the methods that run there */
    size_t n_around;
    unsigned n_read;
    struct found found;
};

static bool read_code(struct question *q, uint64_t method, struct hotspot_code *ret)
{
    return q->n_read++ < READ_MAX && hotspot_code_read(q->in->pid, q->in->layout, method, ret);
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

/* How many loops without a call touch that part; *ret_bci: where the last of them jumps back. */
static unsigned count_loops(const struct hotspot_inlining *in, const struct hotspot_code *code,
                            uint32_t from, uint32_t to, uint32_t *ret_bci)
{
    uint32_t length, back;
    unsigned n = 0;

    for (uint32_t at = 0; at < code->size; at += length) {
        length = hotspot_bytecode_length(code->bytes, code->size, at);
        if (length == 0)
            return 2; /* who knows */
        if (at < from || !hotspot_bytecode_jumps_back(code->bytes, code->size, at, &back) ||
            back >= to || has_call(in, code->method, back, at))
            continue;
        n++;
        *ret_bci = at;
    }
    return n;
}

static bool may_take_time(struct question *q, uint64_t method, int depth);

static bool runs_around(const struct question *q, uint64_t method)
{
    for (size_t i = 0; i < q->n_around; i++) {
        if (q->around[i] == method)
            return true;
    }
    return false;
}

/* Is there a call at @bci that was inlined and may take time? One of a method to itself is not it:
 * what takes time there does so in the outer one. */
static bool is_heavy(struct question *q, const struct hotspot_code *code, uint32_t bci, int depth,
                     uint64_t *ret_method)
{
    const struct hotspot_inlining *in = q->in;
    const struct hotspot_receivers receivers = { in->classes, in->n_classes, q->around,
                                                 q->n_around };

    *ret_method = 0;
    if (!hotspot_bytecode_is_call(code->bytes[bci]) || has_call(in, code->method, bci, bci))
        return false;
    switch (hotspot_call_read(in->pid, in->layout, code, bci, &receivers, ret_method)) {
    case HOTSPOT_CALL_NEVER:
        return false;
    case HOTSPOT_CALL_KNOWN:
        return !runs_around(q, *ret_method) && may_take_time(q, *ret_method, depth);
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
    struct hotspot_code code;
    uint32_t bci;

    return depth >= DEPTH_MAX || !read_code(q, method, &code) ||
           count_loops(q->in, &code, 0, code.size, &bci) > 0 || calls_heavy(q, &code, depth + 1);
}

static void find(struct question *q, const struct span *span, bool is_call, uint32_t bci,
                 uint64_t method)
{
    struct found *f = &q->found;

    if (f->n > 0 && method != 0 && method == f->method)
        return; /* it is that one, wherever it was called */
    if (f->n++ == 0)
        *f = (struct found){ *span, 1, is_call, bci, method };
}

static void find_in(struct question *q, const struct span *span, bool with_loops)
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
        return;
    }
    n_loops = with_loops ? count_loops(q->in, &code, span->from, span->to, &bci) : 0;
    if (n_loops > 0)
        find(q, span, false, n_loops == 1 ? bci : HOTSPOT_BCI_UNKNOWN, 0);
    for (uint32_t at = 0; at < code.size && at < span->to; at += length) {
        length = hotspot_bytecode_length(code.bytes, code.size, at);
        if (length == 0)
            return;
        if (at >= span->from && is_heavy(q, &code, at, 0, &method))
            find(q, span, true, at, method);
    }
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
static void descend(const struct hotspot_inlining *in, uint64_t method, struct hotspot_scopes *s)
{
    while (method != 0 && push(s, in, method)) {
        struct question q = { .in = in };
        struct span all = { .scopes = s, .to = HOTSPOT_BCI_UNKNOWN };

        find_in(&q, &all, true);
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

    descend(q->in, f->method, &ret);
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

bool hotspot_inlined_between(const struct hotspot_inlining *in, const struct hotspot_scopes *before,
                             const struct hotspot_scopes *behind, struct hotspot_scopes *ret_scopes)
{
    struct question q = { .in = in };
    size_t n = n_shared(before, behind);
    size_t at_before = before->n - 1 - n, at_behind = behind->n - 1 - n;
    const struct hotspot_scope *from = &before->scopes[at_before], *to = &behind->scopes[at_behind];
    struct span span = { behind, at_behind, from->bci + (at_before > 0), to->bci };

    if (from->method != to->method)
        return false;
    if (is_around_loop(from->bci, to->bci, at_behind > 0)) {
        span.from = 0;
        span.to = HOTSPOT_BCI_UNKNOWN;
    }
    find_in(&q, &span, true);
    for (size_t i = 0; i < at_before; i++) {
        span = (struct span){ before, i, before->scopes[i].bci + (i > 0), HOTSPOT_BCI_UNKNOWN };
        find_in(&q, &span, true);
    }
    for (size_t i = 0; i < at_behind; i++) {
        span = (struct span){ behind, i, 0, behind->scopes[i].bci };
        find_in(&q, &span, true);
    }
    if (q.found.n == 0)
        return false;
    *ret_scopes = q.found.n == 1 ? answer(&q) : around(behind, at_behind, HOTSPOT_BCI_UNKNOWN);
    return true;
}

bool hotspot_inlined_before(const struct hotspot_inlining *in, const struct hotspot_scopes *behind,
                            struct hotspot_scopes *ret_scopes)
{
    struct question q = { .in = in };
    struct span span = { behind, 0, 0, behind->scopes[0].bci };

    find_in(&q, &span, false);
    if (q.found.n != 1)
        return false;
    *ret_scopes = answer(&q);
    return true;
}
