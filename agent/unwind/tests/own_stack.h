/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own_stack: what a thread would bring along that was interrupted right here, as a record has it.
 */
#pragma once

#include "agent/bpf/record.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

enum { OWN_STACK_WORDS = RECORD_STACK_PAGES * RECORD_PAGE_WORDS };

struct own_stack {
    struct record_stack from;
    uint64_t words[OWN_STACK_WORDS];
    size_t n_words;
};

/* How many bytes could be read. */
static inline size_t own_memory(uint64_t addr, void *to, size_t size)
{
    struct iovec local = { to, size }, remote = { (void *)addr, size }; /* NOLINT */
    ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

    return n > 0 ? (size_t)n : 0;
}

#ifdef __aarch64__
static inline void own_registers(const mcontext_t *c, struct record_stack *ret)
{
    ret->pc = c->pc;
    memcpy(ret->regs, c->regs, sizeof(c->regs));
    ret->regs[UNWIND_REG_SP] = c->sp;
}
#else
static inline void own_registers(const mcontext_t *c, struct record_stack *ret)
{
    static const int by_dwarf[UNWIND_REGS] = { REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                               REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                               REG_R12, REG_R13, REG_R14, REG_R15 };

    ret->pc = (uint64_t)c->gregs[REG_RIP];
    for (size_t i = 0; i < UNWIND_REGS; i++)
        ret->regs[i] = (uint64_t)c->gregs[by_dwarf[i]];
}
#endif

/* After getcontext(), in the function that called it. */
static inline void own_stack_take(const ucontext_t *context, struct own_stack *ret)
{
    own_registers(&context->uc_mcontext, &ret->from);
    for (ret->n_words = 0; ret->n_words < OWN_STACK_WORDS; ret->n_words++) {
        uint64_t *word = &ret->words[ret->n_words];

        if (own_memory(ret->from.regs[UNWIND_REG_SP] + sizeof(*word) * ret->n_words, word,
                       sizeof(*word)) < sizeof(*word))
            break;
    }
}

#define OWN_STACK_TAKE(ret)                                                                        \
    do {                                                                                           \
        ucontext_t own_context;                                                                    \
        (void)getcontext(&own_context);                                                            \
        own_stack_take(&own_context, ret);                                                         \
    } while (0)
