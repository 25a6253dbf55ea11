/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * enter: the registers of user space with which a walk begins, arm64. Included by unwind.bpf.h.
 */
#pragma once

/* arch/arm64/include/asm/memory.h: THREAD_SIZE, without KASAN, and with pages of up to 16 KiB;
 * arch/arm64/include/uapi/asm/ptrace.h: the mode of 64-bit user space is 0. */
enum { THREAD_SIZE = 16384, PSR_MODE = 0x1f };

/* Where the kernel saved the registers when it was entered from user space: before Linux 5.15 they
 * are looked for at the very top of the thread's stack. */
static __always_inline const void *unwind_saved_regs(void)
{
    if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
        return (const void *)bpf_task_pt_regs(bpf_get_current_task_btf());

    struct task_struct *task = (void *)bpf_get_current_task();

    return BPF_CORE_READ(task, stack) + THREAD_SIZE - bpf_core_type_size(struct pt_regs);
}

/* By DWARF's numbers. */
static __always_inline void unwind_number(const struct user_regs *regs, __u64 numbered[UNWIND_REGS])
{
    __builtin_memcpy(numbered, regs->regs, sizeof(regs->regs));
    numbered[UNWIND_REG_SP] = regs->sp;
}

/* The registers of user space: as interrupted there, or as the kernel saved them when it was
 * entered. */
static __always_inline bool unwind_enter(struct bpf_perf_event_data *ctx, struct scratch *s)
{
    struct unwind_walk *w = &s->walk;
    struct user_regs *regs = &s->regs;
    struct task_struct *task = (void *)bpf_get_current_task();

    if ((ctx->regs.pstate & PSR_MODE) == 0)
        *regs = ctx->regs;
    else if (!BPF_CORE_READ(task, mm))
        return false; /* a kernel thread, or it exits: nothing of its user space is left */
    else if (bpf_probe_read_kernel(regs, sizeof(*regs), unwind_saved_regs()) < 0)
        return false;
    if ((regs->pstate & PSR_MODE) != 0)
        return false; /* 32-bit code */
    w->pc = regs->pc;
    w->thread = BPF_CORE_READ(task, THREAD_POINTER);
    unwind_number(regs, w->regs);
    w->sp = regs->sp;
    w->bp = regs->regs[UNWIND_REG_BP];
    w->signal_frame = 0;
    w->known_rule = UNWIND_RULE_NONE;
    w->n = 0;
    w->is_exact = w->has_regs = 1;
    w->by_pointer = 0;
    w->stop = UNWIND_CONTINUE;
    return true;
}
