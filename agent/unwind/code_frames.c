/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/code_frames.h"

#include "agent/unwind/x86_insn.h"
#include "lib/mem.h"

#include <stdlib.h>

enum { WORD = 8, SIZE_MASK = (1 << 13) - 1, BP_MASK = (1 << 11) - 1, SAVED_MASK = (1 << 6) - 1 };

/* As a call leaves it. */
static const struct code_frame entered = { .is_seen = 1, .is_entry = 1, .size = 1 };

struct walk {
    const uint8_t *code;
    size_t size;
    struct code_frame *frames;
    size_t *todo; /* where to go on */
    size_t n_todo, room;
};

/* @n words and @bytes more; 0 when one of both is not known or does not fit. */
static uint32_t add(uint32_t n, int64_t bytes, uint32_t mask)
{
    int64_t sum = (int64_t)n + bytes / WORD;

    return n > 0 && bytes % WORD == 0 && sum > 0 && sum <= mask ? (uint32_t)sum & mask : 0;
}

static struct code_frame after(struct code_frame f, const struct x86_insn *insn)
{
    f.is_entry = 0;
    switch ((enum x86_effect)insn->effect) {
    case X86_KEEPS:
        break;
    case X86_GROWS:
        f.size = add(f.size, insn->value, SIZE_MASK) & SIZE_MASK;
        break;
    case X86_SAVES_BP:
        f.size = add(f.size, WORD, SIZE_MASK) & SIZE_MASK;
        if (f.saved == 0)
            f.saved = add(f.size, 0, SAVED_MASK) & SAVED_MASK;
        break;
    case X86_RESTORES_BP:
        f.size = add(f.size, -WORD, SIZE_MASK) & SIZE_MASK;
        f.bp = f.saved = 0;
        break;
    case X86_SETS_BP:
        f.bp = add(f.size, -insn->value, BP_MASK) & BP_MASK;
        break;
    case X86_SETS_SP:
        f.size = add(f.bp, -insn->value, SIZE_MASK) & SIZE_MASK;
        break;
    case X86_LEAVES:
        f.size = add(f.bp, -WORD, SIZE_MASK) & SIZE_MASK;
        f.bp = f.saved = 0;
        break;
    case X86_LOSES_SP:
        f.size = 0;
        break;
    }
    return f;
}

static void reach(struct walk *w, size_t at, struct code_frame frame)
{
    if (at >= w->size)
        return;
    w->frames[at].is_entry |= frame.is_entry;
    if (w->frames[at].is_seen)
        return;
    w->frames[at] = frame;
    if (w->n_todo == w->room) {
        w->room = w->room ? w->room * 2 : 64;
        w->todo = mem_grow(w->todo, w->room, sizeof(*w->todo));
    }
    w->todo[w->n_todo++] = at;
}

static bool is_jump(const struct x86_insn *insn)
{
    return insn->flow == X86_BRANCH || insn->flow == X86_JUMP;
}

/* On from @at, up to where the code ends or is known. */
static void follow(struct walk *w, size_t at)
{
    struct x86_insn insn;

    while (x86_insn_decode(w->code + at, w->size - at, &insn)) {
        struct code_frame frame = after(w->frames[at], &insn);

        at += insn.len;
        if (insn.has_target)
            reach(w, at + (size_t)(int64_t)insn.target, is_jump(&insn) ? frame : entered);
        if (insn.flow == X86_JUMP || insn.flow == X86_ANYWHERE || insn.flow == X86_STOP ||
            at >= w->size || w->frames[at].is_seen)
            return;
        w->frames[at] = frame;
    }
}

static void follow_all(struct walk *w)
{
    while (w->n_todo > 0)
        follow(w, w->todo[--w->n_todo]);
}

/* What was not reached by then, of one function. */
static void follow_tables(struct walk *w, size_t at, size_t end)
{
    struct code_frame jumped = { 0 };
    struct x86_insn insn;

    for (; at < end && x86_insn_decode(w->code + at, w->size - at, &insn); at += insn.len) {
        if (!w->frames[at].is_seen && jumped.is_seen) {
            reach(w, at, jumped);
            follow_all(w);
        }
        if (w->frames[at].is_seen && insn.flow == X86_ANYWHERE) {
            jumped = w->frames[at];
            jumped.is_entry = 0;
        }
    }
}

static void follow_functions(struct walk *w, const struct code_function *functions, size_t n)
{
    follow_all(w);
    for (size_t i = 0; i < n; i++) {
        const struct code_function *f = &functions[i];

        if (f->start < w->size && f->size <= w->size - f->start)
            follow_tables(w, f->start, f->start + f->size);
    }
}

/* Twice: behind a call that does not return another function may begin, which is known only when
 * all calls are. */
void code_frames_find(const uint8_t *code, size_t size, const struct code_function *functions,
                      size_t n_functions, struct code_frame *frames)
{
    struct walk w = { code, size, frames, NULL, 0, 0 };

    for (size_t i = 0; i < n_functions; i++)
        reach(&w, functions[i].start, entered);
    follow_functions(&w, functions, n_functions);
    for (size_t at = 0; at < size; at++) {
        bool is_entry = frames[at].is_entry;

        if (frames[at].is_seen)
            frames[at] = (struct code_frame){ 0 };
        if (is_entry)
            reach(&w, at, entered);
    }
    follow_functions(&w, functions, n_functions);
    free(w.todo);
}
