/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * enter: the registers of user space with which a walk begins, x86-64. Included by unwind.bpf.h.
 */
#pragma once

enum { USER64_CS = 0x33, THREAD_SIZE = 16384 };

/* Where the kernel saved the registers when it was entered from user space: before Linux 5.15 they
 * are looked for at the very top of the thread's stack. arch/x86/include/asm/page_64_types.h:
 * THREAD_SIZE, without KASAN. */
static __always_inline const void *unwind_saved_regs(void)
{
    if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
        return (const void *)bpf_task_pt_regs(bpf_get_current_task_btf());

    struct task_struct *task = (void *)bpf_get_current_task();

    return BPF_CORE_READ(task, stack) + THREAD_SIZE - sizeof(struct user_regs);
}

/* By DWARF's numbers. */
static __always_inline void unwind_number(const struct user_regs *regs, __u64 numbered[UNWIND_REGS])
{
    numbered[0] = regs->ax;
    numbered[1] = regs->dx;
    numbered[2] = regs->cx;
    numbered[3] = regs->bx;
    numbered[4] = regs->si;
    numbered[5] = regs->di;
    numbered[6] = regs->bp;
    numbered[7] = regs->sp;
    numbered[8] = regs->r8;
    numbered[9] = regs->r9;
    numbered[10] = regs->r10;
    numbered[11] = regs->r11;
    numbered[12] = regs->r12;
    numbered[13] = regs->r13;
    numbered[14] = regs->r14;
    numbered[15] = regs->r15;
}

/* The registers of user space: as interrupted there, or as the kernel saved them when it was
 * entered. */
static __always_inline bool unwind_enter(struct bpf_perf_event_data *ctx, struct scratch *s)
{
    struct unwind_walk *w = &s->walk;
    struct user_regs *regs = &s->regs;

    if (ctx->regs.cs & 3)
        *regs = ctx->regs;
    else if (!BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), mm))
        return false; /* it exits: nothing of its user space is left */
    else if (bpf_probe_read_kernel(regs, sizeof(*regs), unwind_saved_regs()) < 0)
        return false;
    if ((regs->cs & 0xffff) != USER64_CS)
        return false; /* a kernel thread, or 32-bit code */
    w->pc = regs->ip;
    w->thread = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), THREAD_POINTER);
    unwind_number(regs, w->regs);
    w->sp = w->regs[UNWIND_REG_SP];
    w->bp = w->regs[UNWIND_REG_BP];
    w->signal_frame = 0;
    w->known_rule = UNWIND_RULE_NONE;
    w->n = 0;
    w->is_exact = w->has_regs = 1;
    w->stop = UNWIND_CONTINUE;
    return true;
}
