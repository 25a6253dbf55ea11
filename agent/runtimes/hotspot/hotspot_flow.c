/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/hotspot/hotspot_flow.h"

#include "agent/unwind/unwind_arch.h"
#include "agent/unwind/x86_insn.h"
#include "lib/cleanup.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    NONE = HOTSPOT_FLOW_NONE,
    ASIDE_MAX = 64, /* instructions out of the way */
    WAY_MAX = 2048, /* instructions to a note */
    LOOPS_MAX = 8,  /* one within the other */
};

/* An instruction. */
struct step {
    uint32_t off;
    int32_t target; /* index of a step, or NONE */
    int16_t note;   /* index, or NONE */
    uint8_t flow;   /* enum x86_flow */
    bool is_trap;
};

struct code {
    struct step *steps;
    int n;
};

/* From the first to the last, of steps: a jump back and where it leads. */
struct loop {
    int from, to;
};

static bool is_jump(const struct step *s)
{
    return s->flow == X86_BRANCH || s->flow == X86_JUMP;
}

static bool goes_on(const struct step *s)
{
    return s->flow == X86_NEXT || s->flow == X86_CALL || s->flow == X86_BRANCH;
}

/* The step at @off, or the last one before it. */
static int step_at(const struct code *c, uint32_t off)
{
    int low = 0, high = c->n;

    while (high - low > 1) {
        int middle = low + (high - low) / 2;

        if (c->steps[middle].off <= off)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* A trap's request is a Java method's first argument: the complement of a reason, which is not 0,
 * and in the lowest three bits an action (share/runtime/deoptimization.hpp). */
static bool asks_for_trap(const uint8_t *insn, size_t len)
{
    enum { MOV_ESI = 0xbe, MOV_ESI_LEN = 5, REASON_SHIFT = 3, REASONS = 32 };
    uint32_t request;

    if (len != MOV_ESI_LEN || insn[0] != MOV_ESI)
        return false;
    memcpy(&request, insn + 1, sizeof(request));
    return ~request >> REASON_SHIFT != 0 && ~request >> REASON_SHIFT < REASONS;
}

/* The notes come in the order of the code, as the steps do. */
static void take_note(struct step *s, uint32_t end, struct hotspot_note *notes, size_t n,
                      size_t *next)
{
    uint32_t pc = s->flow == X86_CALL ? end : s->off;

    while (*next < n && notes[*next].pc < pc)
        ++*next;
    s->note = NONE;
    if (*next == n || notes[*next].pc != pc)
        return;
    notes[*next].is_call = s->flow == X86_CALL && !s->is_trap;
    s->note = (int16_t)(*next)++;
}

static void find_targets(struct code *c, int32_t *targets)
{
    for (int i = 0; i < c->n; i++) {
        struct step *s = &c->steps[i];
        int to = targets[i] != NONE ? step_at(c, (uint32_t)targets[i]) : 0;

        s->target = is_jump(s) && c->steps[to].off == (uint32_t)targets[i] ? to : NONE;
    }
}

static int32_t target_of(const struct x86_insn *insn, size_t off, size_t size)
{
    int64_t to = (int64_t)(off + insn->len) + insn->target;

    return insn->has_target && to >= 0 && to < (int64_t)size ? (int32_t)to : NONE;
}

static bool read_steps(struct code *c, const uint8_t *code, size_t size, struct hotspot_note *notes,
                       size_t n_notes)
{
    _cleanup_free_ int32_t *targets = mem_alloc(size * sizeof(*targets));
    struct x86_insn insn;
    size_t next_note = 0;
    bool asks = false;

    for (size_t off = 0; off < size; off += insn.len) {
        struct step *s = &c->steps[c->n];

        if (!x86_insn_decode(code + off, size - off, &insn))
            break; /* behind the code there are stubs, and what fills them up */
        targets[c->n++] = target_of(&insn, off, size);
        asks = asks || asks_for_trap(code + off, insn.len);
        *s = (struct step){ .off = (uint32_t)off, .flow = insn.flow };
        s->is_trap = asks && insn.flow == X86_CALL;
        take_note(s, (uint32_t)(off + insn.len), notes, n_notes, &next_note);
        asks = asks && insn.flow == X86_NEXT;
    }
    find_targets(c, targets);
    return next_note == n_notes && c->n > 0;
}

/* The step that must follow; NONE: there is none, or one of two. */
static int only_next(const struct code *c, int at)
{
    const struct step *s = &c->steps[at];
    int next = s->flow == X86_JUMP                          ? s->target
               : s->flow == X86_NEXT || s->flow == X86_CALL ? at + 1
                                                            : NONE;

    return next < c->n ? next : NONE;
}

/* The first call with a note, on the only way from @at. */
static int aside(const struct code *c, int at)
{
    for (int i = 0; i < ASIDE_MAX && at != NONE; i++) {
        if (c->steps[at].flow == X86_CALL && c->steps[at].note != NONE)
            return at;
        at = only_next(c, at);
    }
    return NONE;
}

/* The trap that a branch leads to. */
static int trap_of(const struct code *c, const struct step *s)
{
    int to = s->flow == X86_BRANCH ? aside(c, s->target) : NONE;

    return to != NONE && c->steps[to].is_trap ? to : NONE;
}

static bool is_within(const struct loop *l, int at)
{
    return at >= l->from && at <= l->to;
}

/* Does the way on from @at lead back into the loop? */
static bool comes_back(const struct code *c, const struct loop *l, int at)
{
    for (int i = 0; i < ASIDE_MAX && at != NONE; i++) {
        if (is_within(l, at))
            return true;
        at = only_next(c, at);
    }
    return false;
}

/* The note of a step: its own, or of the trap that it may lead to. */
static int note_of(const struct code *c, int at)
{
    const struct step *s = &c->steps[at];
    int trap = trap_of(c, s);

    return s->note != NONE ? s->note : trap != NONE ? c->steps[trap].note : NONE;
}

/* The same; or of a call out of the way that the loop makes. */
static int note_in_loop(const struct code *c, const struct loop *l, int at)
{
    int note = note_of(c, at), call;

    if (note != NONE || c->steps[at].flow != X86_BRANCH || is_within(l, c->steps[at].target))
        return note;
    call = aside(c, c->steps[at].target);
    return call != NONE && comes_back(c, l, only_next(c, call)) ? c->steps[call].note : NONE;
}

/* Which steps of the loop lead from @at to its end: those that are seen. */
static bool is_loop_of(const struct code *c, const struct loop *l, int at, bool *seen, int *stack)
{
    int n = 0;

    memset(seen, 0, (size_t)c->n * sizeof(*seen));
    seen[at] = true;
    stack[n++] = at;
    while (n > 0) {
        const struct step *s = &c->steps[stack[--n]];
        int on[] = { goes_on(s) ? (int)(s - c->steps) + 1 : NONE, is_jump(s) ? s->target : NONE };

        for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++) {
            if (on[i] == NONE || !is_within(l, on[i]) || seen[on[i]])
                continue;
            seen[on[i]] = true;
            stack[n++] = on[i];
        }
    }
    return seen[l->to];
}

/* The smallest loop around @at that is larger than @than. */
static bool next_loop(const struct code *c, int at, int than, struct loop *ret)
{
    int least = c->n;

    for (int i = at; i < c->n; i++) {
        const struct step *s = &c->steps[i];
        int length = i - s->target;

        if (!is_jump(s) || s->target == NONE || s->target > at || length <= than || length >= least)
            continue;
        least = length;
        *ret = (struct loop){ s->target, i };
    }
    return least < c->n;
}

static bool innermost_loop(const struct code *c, int at, bool *seen, int *stack, struct loop *ret)
{
    struct loop l = { 0, -1 };

    for (int i = 0; i < LOOPS_MAX && next_loop(c, at, l.to - l.from, &l); i++) {
        if (is_loop_of(c, &l, at, seen, stack)) {
            *ret = l;
            return true;
        }
    }
    return false;
}

/* A note and how many instructions it is away. */
struct way {
    int note, steps;
};

/* The next note in the loop, whose last step is followed by the first; or with @by -1, the last. */
static struct way way_around(const struct code *c, const struct loop *l, int at, int by,
                             const bool *seen)
{
    int n = l->to - l->from + 1;

    for (int i = by < 0; i < n && i < WAY_MAX; i++) {
        int step = l->from + (at - l->from + n + by * i) % n;
        int note = seen[step] ? note_in_loop(c, l, step) : NONE;

        if (note != NONE)
            return (struct way){ note, i };
    }
    return (struct way){ NONE, n };
}

static struct way way_back(const struct code *c, int at)
{
    for (int i = at - 1; i >= 0 && at - i < WAY_MAX; i--) {
        int note = note_of(c, i);

        if (note != NONE)
            return (struct way){ note, at - i };
    }
    return (struct way){ NONE, at };
}

/* Where the loop ends. */
static int exit_of(const struct code *c, const struct loop *l, const bool *seen)
{
    if (goes_on(&c->steps[l->to]))
        return l->to + 1;
    for (int i = l->from; i <= l->to; i++) {
        const struct step *s = &c->steps[i];

        if (seen[i] && s->flow == X86_BRANCH && s->target != NONE && !is_within(l, s->target) &&
            trap_of(c, s) == NONE && !comes_back(c, l, s->target))
            return s->target;
    }
    return NONE;
}

static struct way way_on(const struct code *c, int at, bool *seen, bool *ret_is_poll)
{
    int n = 0;

    memset(seen, 0, (size_t)c->n * sizeof(*seen));
    while (n < WAY_MAX && at >= 0 && at < c->n && !seen[at]) {
        const struct step *s = &c->steps[at];
        int note = note_of(c, at);

        if (note != NONE) {
            *ret_is_poll = s->note != NONE && s->flow != X86_CALL;
            return (struct way){ note, n };
        }
        seen[at] = true;
        n++;
        at = s->flow == X86_JUMP ? s->target : goes_on(s) ? at + 1 : NONE;
    }
    return (struct way){ NONE, c->n };
}

/* Instructions prepare what comes, more than they end what was. */
static int nearer(struct way back, struct way on)
{
    return 2 * back.steps < on.steps ? back.note : on.note;
}

static bool has_loop_within(const struct code *c, const struct loop *l)
{
    for (int i = l->from; i < l->to; i++) {
        if (is_jump(&c->steps[i]) && c->steps[i].target > l->from && c->steps[i].target <= i)
            return true;
    }
    return false;
}

bool hotspot_flow_read(const uint8_t *code, size_t size, struct hotspot_note *notes, size_t n,
                       uint32_t pc, struct hotspot_flow *ret_flow)
{
    struct code c = { 0 };
    struct hotspot_flow flow = { .here = NONE, .before = NONE, .behind = NONE };
    struct loop loop;

    if (unwind_arch_here != UNWIND_X86_64 || size > HOTSPOT_FLOW_CODE_MAX ||
        n > HOTSPOT_FLOW_NOTES_MAX || pc >= size)
        return false;

    _cleanup_free_ struct step *steps = c.steps = mem_alloc(size * sizeof(*steps));
    _cleanup_free_ bool *seen = mem_alloc(size * sizeof(*seen));
    _cleanup_free_ int *stack = mem_alloc(size * sizeof(*stack));

    if (!read_steps(&c, code, size, notes, n))
        return false;

    int at = step_at(&c, pc);

    if (at == c.n - 1)
        return false;
    flow.is_loop = innermost_loop(&c, at, seen, stack, &loop);
    if (flow.is_loop) {
        flow.is_inner = !has_loop_within(&c, &loop);
        flow.here = nearer(way_around(&c, &loop, at, -1, seen), way_around(&c, &loop, at, 1, seen));
        flow.before = way_back(&c, loop.from).note;
        flow.behind = way_on(&c, exit_of(&c, &loop, seen), seen, &flow.is_poll).note;
    } else {
        flow.here = nearer(way_back(&c, at), way_on(&c, at, seen, &flow.is_poll));
    }
    *ret_flow = flow;
    return true;
}
