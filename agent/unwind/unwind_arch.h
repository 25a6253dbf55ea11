/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_arch: the processors whose code has rows, and DWARF's numbers of the registers that rows
 * follow there.
 */
#pragma once

#include "agent/bpf/unwind_table.h"

#include <stdint.h>

enum unwind_arch { UNWIND_X86_64, UNWIND_ARM64, UNWIND_ARCH_COUNT };

/* What this agent can walk. */
static const enum unwind_arch unwind_arch_here = UNWIND_OF_ARM64 ? UNWIND_ARM64 : UNWIND_X86_64;

struct unwind_registers {
    uint8_t n; /* those that a rule may name */
    uint8_t sp, bp;
    uint8_t link; /* has the return address until a function saves it; 0: calls push it */
};

static const struct unwind_registers unwind_registers[UNWIND_ARCH_COUNT] = {
    [UNWIND_X86_64] = { .n = 16, .sp = 7, .bp = 6 },
    [UNWIND_ARM64] = { .n = 32, .sp = 31, .bp = 29, .link = 30 },
};
