/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * unwind_x86: what of the walk is x86-64's own: where a signal leaves the registers, code that is
 * known by its bytes, code without rows. Included by unwind_step.h.
 */
#pragma once

/* Where the kernel saved the registers that a signal interrupted, from the stack pointer of its
 * trampoline: after uc_flags, uc_link and uc_stack (arch/x86/include/uapi/asm/sigcontext.h). */
enum { UNWIND_SIGNAL_BP = 120, UNWIND_SIGNAL_SP = 160, UNWIND_SIGNAL_PC = 168 };
/* Eighths of where the first eight of DWARF's registers are, a byte each; r8 to r15 come first. */
#define UNWIND_SIGNAL_REGS 0x140f0d0e10131112ULL
enum { UNWIND_SIGNAL_R8 = 40 };

#include "agent/bpf/unwind_scan.h"

static __always_inline __u32 unwind_signal_offset(__u32 reg)
{
    return reg < 8 ? 8 * (__u32)(UNWIND_SIGNAL_REGS >> 8 * reg & 0xff)
                   : UNWIND_SIGNAL_R8 + 8 * ((reg - 8) & 7);
}

/* Nothing signs a return address. */
static __always_inline __u64 unwind_code_address(__u64 pc)
{
    return pc;
}

/* The two ways in which libraries write the trampoline: mov $15, %rax or %eax; syscall. */
static __always_inline bool unwind_is_trampoline(__u64 code)
{
    return code == 0x0f0000000fc0c748ULL || (code << 8 >> 8) == 0x050f0000000fb8ULL;
}

/* Where the function of makecontext() returns to, the first byte of glibc's __start_context
 * (sysdeps/unix/sysv/linux/x86_64/__start_context.S): mov %rbx, %rsp; mov (%rsp), %rdi; test. */
static __always_inline bool unwind_is_coroutine_start(__u64 code)
{
    return code == 0x48243c8b48dc8948ULL;
}

/* The frame pointer that led here tells the stack pointer, too. */
static __always_inline bool unwind_place_frame(struct unwind_walk *w,
                                               const struct unwind_rule *rule)
{
    (void)w;
    (void)rule;
    return true;
}

/* The registers of code that Go interrupted are not needed. */
static __always_inline void unwind_interrupted(struct unwind_walk *w)
{
    (void)w;
}

/* A return address in a register that is lost. */
static __always_inline __u8 unwind_without_link(const struct unwind_walk *w)
{
    (void)w;
    return RECORD_STOP_NO_RULE;
}

/* Code that was made at run time: by its frame pointer. The trampolines of Python 3.12 and 3.13
 * (-X perf) keep none, but take their frame down right behind the call: add $n, %rsp; ret. */
static __always_inline __u8 unwind_made(struct unwind_walk *w, __u32 flags, __u64 code)
{
    __u64 pc, at;

    if ((code & 0xff80ffffffULL) != 0xc300c48348ULL)
        return unwind_by_frame_pointer(w, flags);
    at = w->sp + (code >> 24 & 0x7f);
    if (!unwind_read(w, at, &pc))
        return RECORD_STOP_NO_READ;
    w->pc = pc;
    w->sp = at + 8;
    return UNWIND_CONTINUE;
}

/* Code without rows; @code: what is returned to. */
static __always_inline __u8 unwind_without_rule(struct unwind_walk *w,
                                                const struct unwind_mapping *m, __u64 code)
{
    if (!(m->flags & UNWIND_NATIVE))
        return unwind_made(w, m->flags, code);
    if (code == UNWIND_MUSL_THREAD_EXIT)
        return RECORD_STOP_END;
    unwind_scan_begin(w);
    return UNWIND_CONTINUE;
}
