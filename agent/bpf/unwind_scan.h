/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * unwind_scan: the caller of code that no table describes and that keeps no frame pointer, as in
 * musl's libc. x86-64.
 *
 * The return address is one of the next words of the stack. It is told from what else lies there by
 * the instruction in front of it: a call, directly or through the PLT, of a function that begins
 * shortly before pc. A stale return address may pass for it; the closer the function, the less so.
 * Included by unwind_step.h.
 */
#pragma once

enum {
    UNWIND_SCAN_WORDS = 256,    /* of the stack */
    UNWIND_SCAN_FIRST = 16,     /* of these: the frame of what calls main() is small */
    UNWIND_SCAN_CLOSE = 1024,   /* bytes from the start of a function to pc: beyond doubt */
    UNWIND_SCAN_AFTER = 3072,   /* at most */
    UNWIND_SCAN_BEFORE = 128,   /* the function called jumped to one that lies in front of it */
    UNWIND_SCAN_JUMP = 16,      /* bytes of a function that only jumps to another */
    UNWIND_SCAN_PAGE = 4096,    /* bytes that can be read all or not at all */
    UNWIND_SCAN_PUSHES = 6,     /* registers that are saved at the start of a function */
    UNWIND_SCAN_START = 0x1000, /* no code is below */
};

/* What musl's clone() does once a thread's first function returned (src/thread/x86_64/clone.s):
 * mov %eax, %edi; xor %eax, %eax; mov $60, %al; syscall. */
#define UNWIND_MUSL_THREAD_EXIT 0x050f3cb0c031c789ULL

static __always_inline bool unwind_is_musl_thread_exit(const struct unwind_walk *w, __u64 pc)
{
    __u64 code;

    return unwind_read(w, pc, &code) && code == UNWIND_MUSL_THREAD_EXIT;
}

/* Whether there may be code. */
static __always_inline bool unwind_scan_may_be(__u64 addr)
{
    return addr >= UNWIND_SCAN_START && addr >> 47 == 0;
}

/* How well a call of a function explains that its code runs at pc. */
enum unwind_scan_fit { UNWIND_SCAN_NOT, UNWIND_SCAN_PERHAPS, UNWIND_SCAN_SURELY };

static __always_inline enum unwind_scan_fit unwind_scan_fit(__u64 function, __u64 pc)
{
    if (pc - function <= UNWIND_SCAN_CLOSE)
        return UNWIND_SCAN_SURELY;
    return pc - function + UNWIND_SCAN_BEFORE < UNWIND_SCAN_AFTER + UNWIND_SCAN_BEFORE
               ? UNWIND_SCAN_PERHAPS
               : UNWIND_SCAN_NOT;
}

/* Where a PLT entry leads: [endbr64] [bnd] jmp *offset(%rip). */
static __always_inline bool unwind_scan_plt(const struct unwind_walk *w, __u64 entry,
                                            __u64 *ret_function)
{
    __u64 code;

    if (!unwind_read(w, entry, &code))
        return false;
    if ((__u32)code == 0xfa1e0ff3) {
        entry += 4;
        if (!unwind_read(w, entry, &code))
            return false;
    }
    if ((code & 0xff) == 0xf2) {
        entry++;
        code >>= 8;
    }
    if ((code & 0xffff) != 0x25ff)
        return false;
    return unwind_read(w, entry + 6 + (__u64)(__s64)(__s32)(code >> 16), ret_function);
}

/* Where a function leads that only prepares a jump: jmp. */
static __always_inline bool unwind_scan_jump(const struct unwind_walk *w, __u64 function, __u64 pc,
                                             __u64 *ret_function)
{
    union {
        __u64 words[UNWIND_SCAN_JUMP / 8 + 1];
        __u8 bytes[UNWIND_SCAN_JUMP + 8];
    } code = { { 0 } };

    for (__u32 i = 0; i <= UNWIND_SCAN_JUMP / 8; i++) {
        if (!unwind_read(w, function + 8 * (__u64)i, &code.words[i]))
            break;
    }
    for (__u32 i = 0; i < UNWIND_SCAN_JUMP; i++) {
        const __u8 *at = code.bytes + i;
        __u32 off = at[1] | (__u32)at[2] << 8 | (__u32)at[3] << 16 | (__u32)at[4] << 24;

        if (at[0] != 0xe9)
            continue;
        *ret_function = function + i + 5 + (__u64)(__s64)(__s32)off;
        if (unwind_scan_fit(*ret_function, pc) == UNWIND_SCAN_SURELY)
            return true;
    }
    return false;
}

/* Is the instruction in front of @ret a call that led to @pc? *ret_function stays as it is when its
 * start is not known. */
static __always_inline enum unwind_scan_fit unwind_scan_call(const struct unwind_walk *w, __u64 ret,
                                                             __u64 pc, bool is_first,
                                                             __u64 *ret_function)
{
    __u64 code, target;

    if (!unwind_read(w, ret - 8, &code))
        return UNWIND_SCAN_NOT;
    if ((__u32)code == 0xe8f0e483) /* and $-16, %rsp; call: so begins a program, in crt1 */
        return is_first ? UNWIND_SCAN_SURELY : UNWIND_SCAN_NOT;
    if (code >> 40 == 0xd1ff41 && unwind_is_musl_thread_exit(w, ret)) /* call *%r9 */
        return UNWIND_SCAN_SURELY;
    target = ret + (__u64)(__s64)(__s32)(code >> 32);
    if ((code >> 16 & 0xffff) == 0x15ff) { /* call *offset(%rip) */
        if (!unwind_read(w, target, &target))
            return UNWIND_SCAN_NOT;
    } else if ((code >> 24 & 0xff) != 0xe8) { /* call */
        return UNWIND_SCAN_NOT;
    } else if (!unwind_scan_fit(target, pc)) {
        (void)unwind_scan_plt(w, target, &target);
    }
    if (!unwind_scan_fit(target, pc) && !unwind_scan_jump(w, target, pc, &target))
        return UNWIND_SCAN_NOT;
    *ret_function = target;
    return unwind_scan_fit(target, pc);
}

/* The caller's frame pointer, when @function pushed it among the registers that it saved first. */
static __always_inline __u64 unwind_scan_bp(const struct unwind_walk *w, __u64 function, __u64 cfa)
{
    __u64 slot = cfa - 16, code = 0, bp = w->bp;
    __u32 n = 0; /* bytes of code */

    for (int i = 0; i < UNWIND_SCAN_PUSHES; i++) {
        if (slot < w->sp || function >= w->pc || (n < 2 && !unwind_read(w, function, &code)))
            break;
        if (n < 2)
            n = 8;
        if (i == 0 && (__u32)code == 0xfa1e0ff3) {
            function += 4;
            code >>= 32;
            n -= 4;
        }
        if ((code & 0xff) == 0x55) {
            (void)unwind_read(w, slot, &bp);
            break;
        }

        __u32 size = (code & 0xf8) == 0x50 ? 1 : (code & 0xf8ff) == 0x5041 ? 2 : 0;

        if (size == 0)
            break;
        function += size;
        code >>= 8 * size;
        n -= size;
        slot -= 8;
    }
    return bp;
}

/* Whether any call instruction of up to seven bytes ends at @ret: e8, or ff with /2. */
static __always_inline bool unwind_scan_is_behind_call(const struct unwind_walk *w, __u64 ret)
{
    __u64 code;

    if (!unwind_scan_may_be(ret) || !unwind_read(w, ret - 8, &code))
        return false;
    if ((code >> 24 & 0xff) == 0xe8)
        return true;
    for (int i = 1; i < 7; i++) {
        if ((code >> 8 * i & 0x38ff) == 0x10ff)
            return true;
    }
    return false;
}

/* Where the frame pointer seems to be one, as in code of V8 and in all code that was built so, only
 * what lies below it can be better: the caller that a function without a frame would hide. */
static __always_inline void unwind_scan_begin(struct unwind_walk *w)
{
    __u64 words = (w->bp - w->sp) / 8, ret;

    w->scan.pc = w->scan.has_pointer = 0;
    w->scan.block_begin = w->scan.block_end = w->scan.n_words = 0;
    w->scan.n_max = UNWIND_SCAN_WORDS;
    w->scan.is_on = 1;
    if (w->bp < w->sp || w->bp % 8 != 0 || !unwind_read(w, w->bp + 8, &ret) ||
        !unwind_scan_is_behind_call(w, ret))
        return;
    w->scan.has_pointer = 1;
    if (words < UNWIND_SCAN_WORDS)
        w->scan.n_max = (__u32)words;
}

/* Reads the next words. False: there are none. */
static __always_inline bool unwind_scan_read(struct unwind_walk *w)
{
    struct unwind_scan *scan = &w->scan;
    __u64 at = w->sp + 8 * (__u64)scan->n_words;
    __u32 n = (__u32)(UNWIND_SCAN_PAGE + 7 - at % UNWIND_SCAN_PAGE) / 8; /* in this page */

    if (n > scan->n_max - scan->n_words)
        n = scan->n_max - scan->n_words;
    if (n > UNWIND_SCAN_BLOCK)
        n = UNWIND_SCAN_BLOCK;
    if (n == 0)
        return false;
    scan->block_begin = scan->n_words;
    scan->block_end = scan->n_words + unwind_read_words(w, at, n, scan->block);
    return scan->block_end > scan->n_words;
}

/* The next word of those that may be an address of code; 0: there is none. */
static __always_inline __u64 unwind_scan_next(struct unwind_scan *scan)
{
    for (int i = 0; i < UNWIND_SCAN_BLOCK && scan->n_words < scan->block_end; i++) {
        __u64 word = scan->block[(scan->n_words++ - scan->block_begin) % UNWIND_SCAN_BLOCK];

        if (unwind_scan_may_be(word))
            return word;
    }
    return 0;
}

/* Looks at the next words, up to one that may be an address. False, and the scan is over: no caller
 * was found. */
static __always_inline bool unwind_scan_step(struct unwind_walk *w)
{
    struct unwind_scan *scan = &w->scan;
    bool is_over = scan->n_words >= scan->block_end && !unwind_scan_read(w);
    __u64 ret = is_over ? 0 : unwind_scan_next(scan), function = w->pc;
    enum unwind_scan_fit fit = UNWIND_SCAN_NOT;

    if (ret)
        fit = unwind_scan_call(w, ret, w->pc, scan->n_words <= UNWIND_SCAN_FIRST, &function);
    if (fit == UNWIND_SCAN_PERHAPS && scan->has_pointer)
        fit = UNWIND_SCAN_NOT;
    if (fit == UNWIND_SCAN_SURELY || (fit == UNWIND_SCAN_PERHAPS && scan->pc == 0)) {
        scan->pc = ret;
        scan->cfa = w->sp + 8 * (__u64)scan->n_words;
        scan->function = function;
    }
    if (fit != UNWIND_SCAN_SURELY && !is_over)
        return true;
    scan->is_on = 0;
    if (scan->pc == 0)
        return false;
    w->bp = unwind_scan_bp(w, scan->function, scan->cfa);
    w->pc = scan->pc;
    w->sp = scan->cfa;
    w->is_exact = w->has_regs = 0;
    return true;
}
