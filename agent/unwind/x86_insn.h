/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86_insn: how long one instruction of x86-64 is, where it leads, and what it does to the stack
 * pointer and the frame pointer. Pure; no byte past the given ones is read.
 *
 * Of other registers and of memory nothing is known. A write to rsp by an instruction that
 * compilers do not use for it (xchg, cmov, or) goes unnoticed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum x86_flow {
    X86_NEXT,
    X86_CALL,     /* to the target, when there is one */
    X86_BRANCH,   /* to the target or the next one */
    X86_JUMP,     /* to the target */
    X86_ANYWHERE, /* to what a register or memory says */
    X86_STOP,
};

enum x86_effect {
    X86_KEEPS,
    X86_GROWS,       /* the stack, by value */
    X86_SAVES_BP,    /* pushes it */
    X86_RESTORES_BP, /* pops it */
    X86_SETS_BP,     /* to rsp + value */
    X86_SETS_SP,     /* to rbp + value */
    X86_LEAVES,      /* both of mov %rbp, %rsp; pop %rbp */
    X86_LOSES_SP,    /* to what is not known */
};

struct x86_insn {
    uint8_t len;
    uint8_t flow, effect; /* the enums */
    bool has_target;      /* with X86_NEXT: an address that it takes */
    int32_t target;       /* from the instruction behind */
    int64_t value;
};

/* False: no instruction, or not all of it is there. */
bool x86_insn_decode(const uint8_t *code, size_t size, struct x86_insn *ret_insn);
