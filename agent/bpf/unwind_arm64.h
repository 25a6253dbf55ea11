/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * unwind_arm64: what of the walk is arm64's own: signed return addresses, where a signal leaves the
 * registers, frame records, code without rows. Included by unwind_step.h.
 *
 * A call leaves the return address in x30, the link register; so in code that saves nothing it is
 * known for the interrupted frame alone. x29 leads to a record of the caller's x29 and of the
 * return address ("Procedure Call Standard for the Arm 64-bit Architecture"), which lies
 * anywhere in its frame: it tells the caller, but not where the caller's frame ends.
 */
#pragma once

/* Programs lie below, unless they ask for more. Above are the signature of a return address ("DWARF
 * for the Arm 64-bit Architecture", RA_SIGN_STATE) and tags. */
enum { UNWIND_ADDRESS_BITS = 48 };

/* Where the kernel saved the registers that a signal interrupted, from the stack pointer of its
 * trampoline: x0 after 128 bytes of siginfo, 176 of ucontext, which ends with uc_mcontext, and
 * fault_address (arch/arm64/include/uapi/asm/{sigcontext,ucontext}.h). */
enum {
    UNWIND_SIGNAL_REGS = 128 + 176 + 8,
    UNWIND_SIGNAL_BP = UNWIND_SIGNAL_REGS + 8 * UNWIND_REG_BP,
    UNWIND_SIGNAL_SP = UNWIND_SIGNAL_REGS + 8 * UNWIND_REG_SP,
    UNWIND_SIGNAL_PC = UNWIND_SIGNAL_SP + 8,
};

enum { UNWIND_LEAF_MAX = 4096 /* bytes from the start of a function that saves nothing to pc */ };

static __always_inline __u32 unwind_signal_offset(__u32 reg)
{
    return UNWIND_SIGNAL_REGS + 8 * (reg & (UNWIND_REGS - 1));
}

static __always_inline __u64 unwind_code_address(__u64 pc)
{
    return pc & ((1ULL << UNWIND_ADDRESS_BITS) - 1);
}

/* mov x8, #139; svc #0: that of the vDSO, which has no rows since Linux 5.9, and of libraries. */
static __always_inline bool unwind_is_trampoline(__u64 code)
{
    return code == 0xd4000001d2801168ULL;
}

/* Where the function of makecontext() returns to, the first byte of glibc's __startcontext
 * (sysdeps/unix/sysv/linux/aarch64/setcontext.S): [nop;] mov x0, x19; [cbnz x0]. */
static __always_inline bool unwind_is_coroutine_start(__u64 code)
{
    return code == 0xaa1303e0d503201fULL ||
           ((__u32)code == 0xaa1303e0 && (code >> 32 & 0xff00001f) == 0xb5000000);
}

/* What musl's clone() does once a thread's first function returned (src/thread/aarch64/clone.s):
 * mov x8, #93; svc #0. */
static __always_inline bool unwind_is_musl_thread_exit(__u64 code)
{
    return code == 0xd4000001d2800ba8ULL;
}

/*
 * The frame pointer led here. Where the rule counts from the stack pointer, that follows from the
 * record of this frame, to which x29 leads now, if it has one. False: it does not.
 */
static __always_inline bool unwind_place_frame(struct unwind_walk *w,
                                               const struct unwind_rule *rule)
{
    __u64 sp;

    if (rule->cfa != UNWIND_CFA_REG || rule->reg != UNWIND_REG_SP)
        return true;
    if (rule->bp != UNWIND_BP_AT_CFA || rule->ra != UNWIND_RA_AT_CFA ||
        rule->ra_off != rule->bp_off + 8)
        return false;
    sp = w->bp - (__u64)(__s64)rule->bp_off - (__u64)(__s64)rule->cfa_off;
    if (sp < w->sp)
        return false;
    w->sp = sp;
    return true;
}

/* Go pushed the link register of the code that it interrupted, in the uppermost words of the frame
 * that was left just now (runtime/signal_arm64.go, pushCall). It is the only register that the rows
 * of Go code name. */
static __always_inline void unwind_interrupted(struct unwind_walk *w)
{
    __u64 link;

    if (!unwind_read(w, w->sp - 16, &link))
        return;
    w->regs[UNWIND_REG_LINK] = link;
    w->signal_frame = 0;
    w->has_regs = 1;
}

/* The link register is lost: in what is called by nobody, x29 is 0. */
static __always_inline __u8 unwind_without_link(const struct unwind_walk *w)
{
    return w->bp == 0 ? RECORD_STOP_END : RECORD_STOP_NO_RULE;
}

/*
 * Does the link register still have the return address of the function that pc is in? It follows a
 * call: from another mapping, or of a function that begins shortly before pc, and nearer to it than
 * the call is.
 */
static __always_inline bool unwind_is_leaf(const struct unwind_walk *w,
                                           const struct unwind_mapping *m, __u64 link)
{
    __u64 code, before, far = link < w->pc ? w->pc - link : link - w->pc;

    if (link % 4 != 0 || link < 8 || !unwind_read(w, link - 8, &code))
        return false;
    code >>= 32;
    if ((code & 0xfefff000) == 0xd63f0000) /* blr, and those that check a signature */
        return link < m->start || link >= m->end;
    if (code >> 26 != 0x25) /* bl */
        return false;
    before = w->pc - (link - 4) - 4 * (__u64)((__s64)(code << 38) >> 38);
    return link < m->start || link >= m->end ||
           before < (far < UNWIND_LEAF_MAX ? far : UNWIND_LEAF_MAX);
}

/* Code without rows: musl's, for one; @code: what is returned to. What does not lie at the frame
 * pointer is not searched for. */
static __always_inline __u8 unwind_without_rule(struct unwind_walk *w,
                                                const struct unwind_mapping *m, __u64 code)
{
    __u64 link;

    if (m->flags & UNWIND_NATIVE && unwind_is_musl_thread_exit(code))
        return RECORD_STOP_END;
    if (!(m->flags & UNWIND_NATIVE) || !w->is_exact || !unwind_reg(w, UNWIND_REG_LINK, &link))
        return unwind_by_frame_pointer(w, m->flags);
    link = unwind_code_address(link);
    if (!unwind_is_leaf(w, m, link))
        return unwind_by_frame_pointer(w, m->flags);
    w->pc = link;
    w->is_exact = w->has_regs = 0;
    return UNWIND_CONTINUE;
}
