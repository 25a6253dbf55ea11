/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unwind/unwind_copy.h"

#include "agent/bpf/spent.h"
#include "agent/unwind/unwind_host.h"

#include <string.h>

enum { TURNS_MAX = SPENT_MAX / SPENT_TURN, CODE_READS_MAX = 256 };

struct walking {
    struct unwind_walk walk; /* first: the walk's functions get no more */
    const struct unwind_copy *copy;
    const struct unwind_view *view;
    int *code_reads_left;
};

static const struct walking *walking_of(const struct unwind_walk *w)
{
    return (const struct walking *)(const void *)w;
}

static const struct unwind_mapping *unwind_mapping_at(const struct unwind_walk *w, __u32 i)
{
    const struct unwind_view *view = walking_of(w)->view;

    return i < view->n_mappings ? &view->mappings[i] : NULL;
}

static const struct unwind_row *unwind_row_at(const struct unwind_walk *w, __u32 i)
{
    const struct unwind_view *view = walking_of(w)->view;

    return i < view->n_rows ? &view->rows[i] : NULL;
}

static const struct unwind_rule *unwind_rule_at(const struct unwind_walk *w, __u32 i)
{
    const struct unwind_view *view = walking_of(w)->view;

    return i < view->n_rules ? &view->rules[i] : NULL;
}

static bool unwind_read(const struct unwind_walk *w, __u64 addr, __u64 *ret_value)
{
    const struct walking *walking = walking_of(w);
    const struct unwind_copy *copy = walking->copy;
    uint64_t off = addr - copy->from->regs[UNWIND_REG_SP];
    uint64_t size = copy->n_words * sizeof(*copy->words), bytes;

    if (size >= sizeof(bytes) && off <= size - sizeof(bytes)) {
        memcpy(&bytes, (const char *)copy->words + off, sizeof(bytes));
    } else if (*walking->code_reads_left == 0 || !unwind_find_mapping(w, addr)) {
        return false;
    } else {
        --*walking->code_reads_left;
        if (!copy->read_code(copy->arg, addr, &bytes))
            return false;
    }
    *ret_value = bytes;
    return true;
}

uint32_t unwind_copy_walk(const struct unwind_copy *copy, const struct unwind_view *view,
                          uint64_t ret_pcs[RECORD_USER_MAX], uint8_t *ret_stop)
{
    const struct record_stack *from = copy->from;
    int code_reads_left = CODE_READS_MAX;
    struct walking walking = { .copy = copy, .view = view, .code_reads_left = &code_reads_left };
    struct unwind_walk *w = &walking.walk;

    w->pc = from->pc;
    w->sp = from->regs[UNWIND_REG_SP];
    w->bp = from->regs[UNWIND_REG_BP];
    w->thread = copy->thread;
    memcpy(w->regs, from->regs, sizeof(w->regs));
    w->space = view->space;
    w->is_exact = w->has_regs = 1;
    w->stop = UNWIND_CONTINUE;
    for (int i = 0; w->stop == UNWIND_CONTINUE; i++) {
        __u32 n = w->n;
        __u64 pc = 0;

        if (n >= RECORD_USER_MAX) {
            w->stop = RECORD_STOP_FULL;
        } else if (i >= TURNS_MAX || code_reads_left == 0) {
            w->stop = RECORD_STOP_COSTLY;
        } else {
            unwind_step(w, &pc);
            if (w->n > n)
                ret_pcs[n] = pc;
        }
    }
    *ret_stop = w->stop;
    return w->n;
}
