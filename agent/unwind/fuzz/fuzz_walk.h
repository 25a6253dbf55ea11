/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_walk: a walk over a stack, by rules and through code that the input makes up; on the
 * processor that who includes it says.
 */
#pragma once

#include "agent/unwind/unwind_host.h"
#include "lib/fuzz/fuzz.h"

enum { STACK = 0x7000, CODE = 0x1000, FRAMES_MAX = 64, STEPS_MAX = 258 /* of a search */ };

/* What the target has a hand in: its registers, its unwind rules, its stack, its code. */
static struct input {
    __u64 regs[UNWIND_REGS];
    struct unwind_rule rules[3];
    __u64 stack[UNWIND_OF_ARM64 ? 96 : 64]; /* there is room for the frame of a signal */
    __u8 code[64];                          /* over and over */
} in;

static const struct unwind_row rows[] = { { 0, 0 }, { 0x100, 1 }, { 0x200, 2 }, { 0x300, 7 } };
static struct unwind_mapping code = { CODE, CODE + 0x1000, CODE, 0, 4, 0, 0 };

static bool unwind_read(const struct unwind_walk *w, __u64 addr, __u64 *ret_value)
{
    (void)w;
    if (addr >= CODE && addr < CODE + 0x1000) {
        memcpy(ret_value, in.code + addr % (sizeof(in.code) - sizeof(*ret_value)),
               sizeof(*ret_value));
        return true;
    }
    if (addr < STACK || addr > STACK + sizeof(in.stack) - sizeof(*ret_value))
        return false;
    memcpy(ret_value, (const char *)in.stack + (addr - STACK), sizeof(*ret_value));
    return true;
}

static const struct unwind_mapping *unwind_mapping_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i == 0 ? &code : NULL;
}

static const struct unwind_row *unwind_row_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < sizeof(rows) / sizeof(rows[0]) ? &rows[i] : NULL;
}

static const struct unwind_rule *unwind_rule_at(const struct unwind_walk *w, __u32 i)
{
    (void)w;
    return i < sizeof(in.rules) / sizeof(in.rules[0]) ? &in.rules[i] : NULL;
}

/* Every step but those of a search notes one frame, and goes on or says why not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct unwind_walk w = { .pc = CODE, .sp = STACK, .is_exact = 1, .has_regs = 1 };
    __u64 pcs[FRAMES_MAX];

    memset(&in, 0, sizeof(in));
    memcpy(&in, data, size < sizeof(in) ? size : sizeof(in));
    memcpy(w.regs, in.regs, sizeof(w.regs));
    w.pc += in.regs[0] & 0xfff;
    w.sp += in.regs[UNWIND_REG_SP] & 0xff;
    w.bp = in.regs[UNWIND_REG_BP];
    w.thread = in.regs[UNWIND_REGS - 1];
    w.space.n = 1;
    code.flags = (__u32)in.regs[1] & (UNWIND_SWITCHES_STACKS | UNWIND_NATIVE);
    w.stop = UNWIND_CONTINUE;
    for (int i = 0; w.stop == UNWIND_CONTINUE && w.n < FRAMES_MAX; i++) {
        __u32 n = w.n;
        bool notes = !w.scan.is_on;

        unwind_step(&w, &pcs[n]);
        assert(w.n == n + notes && w.stop <= UNWIND_CONTINUE);
        assert(i < FRAMES_MAX * STEPS_MAX);
    }
    return 0;
}
