/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * unwind_step: from one frame of a user stack to its caller, by tables. What differs by processor
 * is in unwind_x86.h and unwind_arm64.h.
 *
 * The same source runs in the kernel and, over copies of stacks and for tests, in user space. Who
 * includes it says before how memory is read and where the tables are:
 *
 *   static bool unwind_read(const struct unwind_walk *w, __u64 addr, __u64 *ret_value);
 *   static __u32 unwind_read_words(const struct unwind_walk *w, __u64 addr, __u32 n, __u64 *to);
 *   static const struct unwind_mapping *unwind_mapping_at(const struct unwind_walk *w, __u32 i);
 *   static const struct unwind_row *unwind_row_at(const struct unwind_walk *w, __u32 i);
 *   static const struct unwind_rule *unwind_rule_at(const struct unwind_walk *w, __u32 i);
 *
 * All of them may say no; unwind_read_words() says how many words it read, all or fewer. Where code
 * has no rows, its return address is looked for on the stack (x86-64) or in the link register
 * (arm64), and else its frame pointer followed; a caller that is not in code is none.
 */
#pragma once

#include "agent/bpf/record.h"
#include "agent/bpf/unwind_table.h"

enum {
    UNWIND_MAPPING_STEPS = 16, /* halvings of UNWIND_MAPPINGS_MAX */
    UNWIND_ROW_STEPS = 24,     /* of UNWIND_ROWS_PER_IMAGE_MAX */
    UNWIND_CONTINUE = RECORD_STOP_COUNT,
};

enum { UNWIND_SCAN_BLOCK = 16 /* words of the stack that are read at a time */ };

/* The search for a return address; see unwind_scan.h. */
struct unwind_scan {
    __u64 pc, cfa, function; /* the best so far: the caller, its frame, what it called; 0: none */
    __u64 block[UNWIND_SCAN_BLOCK];
    __u32 block_begin, block_end; /* which words of the stack it has */
    __u32 n_words, n_max;         /* looked at, and to be looked at */
    __u8 is_on;
    __u8 has_pointer; /* the frame pointer may be one */
    __u8 pad[6];
};

/* One stack on its way to the root. */
struct unwind_walk {
    __u64 pc, sp, bp;
    __u64 thread;              /* the thread pointer */
    __u64 regs[UNWIND_REGS];   /* by DWARF's numbers, as the thread was interrupted */
    __u64 signal_frame;        /* that has them instead; 0: none */
    __u64 made_low, made_high; /* where a runtime makes code that is walked another way; 0: none */
    struct unwind_space space;
    struct unwind_scan scan;
    __u32 n;             /* frames so far */
    __u8 is_exact;       /* pc is where code was interrupted, not where a call returns to */
    __u8 has_regs;       /* they are still those of this frame, as far as that needs them */
    __u8 stop;           /* enum record_stop, or UNWIND_CONTINUE */
    __u8 by_pointer;     /* the last step followed the frame pointer */
    __u8 is_in_made;     /* the frame noted last is in such code: its caller is not known yet */
    __u8 keeps_pointers; /* code without rows that calls code with frame pointers keeps its own */
    __u8 pad[2];
    __u32 known_rule; /* in force at known_at, where the frame before was: it may call itself */
    __u64 known_at;
};

static __always_inline __u32 unwind_signal_offset(__u32 reg);
static __always_inline __u64 unwind_code_address(__u64 pc);
static __always_inline __u8 unwind_by_frame_pointer(struct unwind_walk *w, __u32 flags);
static __always_inline bool unwind_reg(const struct unwind_walk *w, __u32 reg, __u64 *ret_value);

#if UNWIND_OF_ARM64
#include "agent/bpf/unwind_arm64.h"
#else
#include "agent/bpf/unwind_x86.h"
#endif

static __always_inline const struct unwind_mapping *unwind_find_mapping(const struct unwind_walk *w,
                                                                        __u64 pc)
{
    __u32 low = 0, high = w->space.n; /* the first that starts above pc is in [low, high] */

    for (int i = 0; i <= UNWIND_MAPPING_STEPS && low < high; i++) {
        __u32 middle = low + (high - low) / 2;
        const struct unwind_mapping *m = unwind_mapping_at(w, w->space.first + middle);

        if (!m)
            return NULL;
        if (m->start <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;

    const struct unwind_mapping *found = unwind_mapping_at(w, w->space.first + low - 1);

    return found && pc < found->end ? found : NULL;
}

/* The number of the rule in force at @pc. */
static __always_inline __u32 unwind_find_rule(const struct unwind_walk *w,
                                              const struct unwind_mapping *m, __u64 pc)
{
    __u32 low = 0, high = m->n_rows;
    __u32 first = m->first_row;
    __u64 addr = pc - m->base;

    for (int i = 0; i < UNWIND_ROW_STEPS && low < high; i++) {
        __u32 middle = low + (high - low) / 2;
        const struct unwind_row *row = unwind_row_at(w, first + middle);

        if (!row)
            return UNWIND_RULE_NONE;
        if (row->addr <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return UNWIND_RULE_NONE;

    const struct unwind_row *found = unwind_row_at(w, first + low - 1);

    return found ? found->rule : UNWIND_RULE_NONE;
}

static __always_inline __u8 unwind_by_signal(struct unwind_walk *w)
{
    __u64 pc, sp, bp;

    if (!unwind_read(w, w->sp + UNWIND_SIGNAL_PC, &pc) ||
        !unwind_read(w, w->sp + UNWIND_SIGNAL_SP, &sp) ||
        !unwind_read(w, w->sp + UNWIND_SIGNAL_BP, &bp))
        return RECORD_STOP_NO_READ;
    w->signal_frame = w->sp;
    w->pc = pc;
    w->sp = sp;
    w->bp = bp;
    w->is_exact = w->has_regs = 1;
    return UNWIND_CONTINUE;
}

static __always_inline __u8 unwind_by_frame_pointer(struct unwind_walk *w, __u32 flags)
{
    __u64 pair[2]; /* the caller's frame pointer, the return address */

    if (w->bp == 0)
        return RECORD_STOP_END; /* threads begin with 0 */
    if (w->bp & 7)
        return RECORD_STOP_NO_RULE; /* used for something else */
    if (w->bp < w->sp && !(flags & UNWIND_SWITCHES_STACKS))
        return RECORD_STOP_NO_RULE;
    if (unwind_read_words(w, w->bp, 2, pair) < 2)
        return RECORD_STOP_NO_READ;
    w->by_pointer = 1;
    w->pc = unwind_code_address(pair[1]);
    w->sp = w->bp + 16; /* at least */
    w->bp = pair[0];
    w->is_exact = w->has_regs = 0;
    if (pair[1] == 0)
        return pair[0] == 0 ? RECORD_STOP_END : RECORD_STOP_NO_RULE;
    return UNWIND_CONTINUE;
}

/* The value of a register in this frame; false: it is not known any more. */
static __always_inline bool unwind_reg(const struct unwind_walk *w, __u32 reg, __u64 *ret_value)
{
    if (reg == UNWIND_REG_SP)
        *ret_value = w->sp;
    else if (reg == UNWIND_REG_BP)
        *ret_value = w->bp;
    else if (!w->has_regs)
        return false;
    else if (w->signal_frame)
        return unwind_read(w, w->signal_frame + unwind_signal_offset(reg), ret_value);
    else
        *ret_value = w->regs[reg & (UNWIND_REGS - 1)];
    return true;
}

static __always_inline __u8 unwind_by_rule(struct unwind_walk *w, const struct unwind_rule *rule)
{
    __u64 cfa, pc, bp = w->bp;
    bool is_frameless =
        rule->cfa == UNWIND_CFA_REG && rule->reg == UNWIND_REG_SP && rule->cfa_off == 8;

    if (rule->cfa == UNWIND_CFA_PLT) {
        cfa = w->sp + 8 + ((__s32)(w->pc & 15) >= rule->cfa_off ? 8 : 0);
    } else {
        if (!unwind_reg(w, rule->reg, &cfa))
            return RECORD_STOP_NO_RULE;
        cfa += (__u64)(__s64)rule->cfa_off;
    }
    if (rule->cfa == UNWIND_CFA_DEREF) {
        if (!unwind_read(w, cfa, &cfa))
            return RECORD_STOP_NO_READ;
        cfa += (__u64)(__s64)rule->deref_off;
    }
    if (rule->ra == UNWIND_RA_IN_REG) {
        if (!unwind_reg(w, (__u32)rule->ra_off, &pc))
            return unwind_without_link(w);
    } else if (!unwind_read(w, cfa + (__u64)(__s64)rule->ra_off, &pc)) {
        return RECORD_STOP_NO_READ;
    }
    if (rule->bp != UNWIND_BP_SAME) {
        __u64 at = rule->bp == UNWIND_BP_AT_CFA ? cfa : w->bp;

        if (!unwind_read(w, at + (__u64)(__s64)rule->bp_off, &bp))
            return RECORD_STOP_NO_READ;
    }
    if (cfa <= w->sp && !w->is_exact && !(rule->flags & UNWIND_RULE_SWITCHES))
        return RECORD_STOP_NO_READ; /* a stack only shrinks */
    /* Who finds its frame by a register across a call knows that what it calls keeps it. */
    if (!is_frameless)
        w->has_regs = 0;
    w->pc = unwind_code_address(pc);
    w->sp = cfa;
    w->bp = bp;
    w->is_exact = (rule->flags & UNWIND_RULE_INTERRUPTED) != 0;
    if (w->is_exact)
        unwind_interrupted(w);
    return w->pc ? UNWIND_CONTINUE : RECORD_STOP_END;
}

/* runtime/runtime2.go, the same from Go 1.16 to 1.27: g.m, g.sched.sp, g.sched.pc. */
enum { UNWIND_G_M = 0x30, UNWIND_G_SP = 0x38, UNWIND_G_PC = 0x40 };

/* The scheduler may have taken the goroutine off the thread: then nobody called what runs there. */
static __always_inline __u8 unwind_by_goroutine(struct unwind_walk *w,
                                                const struct unwind_rule *rule)
{
    __u64 g, m, running, pc, sp, bp = w->bp;

    if (!unwind_read(w, w->thread + (__u64)(__s64)rule->cfa_off, &g))
        return RECORD_STOP_NO_READ;
    if (g == 0)
        return RECORD_STOP_END;
    if (!unwind_read(w, g + UNWIND_G_M, &m))
        return RECORD_STOP_NO_READ;
    if (m == 0)
        return RECORD_STOP_END;
    if (!unwind_read(w, m + (__u64)(__s64)rule->deref_off, &running))
        return RECORD_STOP_NO_READ;
    if (running == 0)
        return RECORD_STOP_END;
    if (running == g) { /* still on its stack */
        if (!unwind_read(w, w->sp, &pc))
            return RECORD_STOP_NO_READ;
        sp = w->sp + 8;
    } else if (!unwind_read(w, running + UNWIND_G_SP, &sp) ||
               !unwind_read(w, running + UNWIND_G_PC, &pc) ||
               !unwind_read(w, running + (__u64)(__s64)rule->bp_off, &bp)) {
        return RECORD_STOP_NO_READ;
    }
    w->pc = pc;
    w->sp = sp;
    w->bp = bp;
    w->is_exact = w->has_regs = 0;
    return pc && sp ? UNWIND_CONTINUE : RECORD_STOP_END;
}

/*
 * Notes the frame in *ret_pc and goes to its caller, or sets w->stop. Where the caller is searched
 * for, that takes more steps, which note nothing: w->n tells. But for the first frame it is
 * the address behind the instruction that runs there, so that one less is within it. A caller that
 * is in no code is noted too, as the last one, for user space may know more; then the stop is
 * RECORD_STOP_NO_CODE. Of a frame in made code the caller is left to who asked for that.
 */
static __always_inline void unwind_step(struct unwind_walk *w, __u64 *ret_pc)
{
#if !UNWIND_OF_ARM64
    if (w->scan.is_on) {
        if (!unwind_scan_step(w))
            w->stop = unwind_by_frame_pointer(w, 0);
        return;
    }
#endif

    __u64 at = w->pc - !w->is_exact;
    __u64 code = 0; /* of no rows, that is returned to */
    bool was_by_pointer = w->by_pointer;

    *ret_pc = w->pc + (w->is_exact && w->n > 0);
    w->n++;
    w->by_pointer = 0;
    if (at - w->made_low < w->made_high - w->made_low) {
        w->is_in_made = 1;
        return;
    }

    bool is_known = w->known_rule != UNWIND_RULE_NONE && at == w->known_at && !was_by_pointer;
    const struct unwind_mapping *m = is_known ? NULL : unwind_find_mapping(w, at);

    if (!is_known && !m) {
        w->stop = RECORD_STOP_NO_CODE;
        return;
    }

    __u32 number = m ? unwind_find_rule(w, m, at) : w->known_rule;
    const struct unwind_rule *rule = unwind_rule_at(w, number);
    __u32 cfa = rule ? rule->cfa : UNWIND_CFA_NONE;

    w->known_at = at;
    w->known_rule = cfa == UNWIND_CFA_REG ? number : UNWIND_RULE_NONE;

    if (was_by_pointer && rule && !unwind_place_frame(w, rule))
        cfa = UNWIND_CFA_NONE;
    if (cfa == UNWIND_CFA_NONE && !w->is_exact && !unwind_read(w, w->pc, &code))
        code = 0;
    if (cfa == UNWIND_CFA_NONE && unwind_is_trampoline(code))
        cfa = UNWIND_CFA_SIGNAL;

    bool is_coroutine_start = cfa == UNWIND_CFA_NONE && unwind_is_coroutine_start(code);

    if (is_coroutine_start)
        cfa = UNWIND_CFA_END;
    if (is_coroutine_start || (cfa == UNWIND_CFA_SIGNAL && !w->is_exact))
        *ret_pc = w->pc + 1; /* nobody called it: it is returned to at its start */
    if (cfa == UNWIND_CFA_SIGNAL)
        w->stop = unwind_by_signal(w);
    else if (cfa == UNWIND_CFA_END)
        w->stop = RECORD_STOP_END;
    else if (cfa == UNWIND_CFA_UNKNOWN)
        w->stop = RECORD_STOP_NO_RULE;
    else if (cfa == UNWIND_CFA_GOROUTINE)
        w->stop = unwind_by_goroutine(w, rule);
    else if (rule && cfa != UNWIND_CFA_NONE)
        w->stop = unwind_by_rule(w, rule);
    else if (!m)
        w->stop = RECORD_STOP_NO_RULE;
    else if (was_by_pointer && w->keeps_pointers)
        w->stop = unwind_by_frame_pointer(w, m->flags);
    else
        w->stop = unwind_without_rule(w, m, code);
}
