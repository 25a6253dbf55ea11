/* SPDX-License-Identifier: Apache-2.0 */
/* unwind_arm64: the walk over arm64 stacks, on any machine, over a made-up one case by case. */
#define UNWIND_OF_ARM64 1

#include "agent/unwind/tests/unwind_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define IN        (CODE + 0x110) /* code with the rule of the case */
#define PLAIN     (CODE + 0x210) /* and without one */
#define SIGNED    0x0035000000000000ULL
#define SIGNAL(i) (39 + (i)) /* the word of a register in the frame of a signal */
#define BL(from, to)                                                                               \
    ((__u64)(0x94000000U | (0x3ffffffU & (__u32)(((__s64)(to) - (__s64)(from)) / 4))) << 32)
#define BLR        0xd63f006000000000ULL
#define BLRAA      0xd73f086100000000ULL
#define TRAMPOLINE 0xd4000001d2801168ULL

#define FRAME(r, off)                                                                              \
    .cfa = UNWIND_CFA_REG, .reg = (r), .cfa_off = (off), .ra_off = 8 - (off),                      \
    .bp = UNWIND_BP_AT_CFA, .bp_off = -(off)
#define LEAF .cfa = UNWIND_CFA_REG, .reg = 31, .ra = UNWIND_RA_IN_REG, .ra_off = 30

static const struct {
    const char *name;
    struct unwind_rule rule;
    __u64 pc, sp, bp, link;
    struct {
        unsigned at;
        __u64 value;
    } words[6];
    struct bytes code;
    size_t n;
    __u64 caller;
    __u8 stop;
} cases[] = {
    { .name = "sp and an offset",
      .rule = { FRAME(31, 32) },
      .pc = IN,
      .sp = AT(0),
      .words = { { 0, 1 }, { 1, CALLER } },
      .n = 2,
      .caller = CALLER },
    { .name = "x29 and an offset",
      .rule = { FRAME(29, 16) },
      .pc = IN,
      .sp = AT(0),
      .bp = AT(6),
      .words = { { 7, CALLER } },
      .n = 2,
      .caller = CALLER },
    { .name = "a leaf", .rule = { LEAF }, .pc = IN, .link = CALLER, .n = 2, .caller = CALLER },
    { .name = "a leaf whose return address is signed",
      .rule = { LEAF },
      .pc = IN,
      .link = CALLER | SIGNED,
      .n = 2,
      .caller = CALLER },
    { .name = "a signed return address on the stack",
      .rule = { FRAME(31, 16) },
      .pc = IN,
      .words = { { 1, CALLER | SIGNED } },
      .n = 2,
      .caller = CALLER },
    { .name = "one signed and tagged",
      .rule = { FRAME(31, 16) },
      .pc = IN,
      .words = { { 1, CALLER | 0xff7f000000000000ULL } },
      .n = 2,
      .caller = CALLER },
    { .name = "a link register that was lost",
      .rule = { LEAF },
      .pc = IN,
      .bp = AT(8),
      .link = IN + 1,
      .n = 2,
      .caller = IN + 1,
      .stop = RECORD_STOP_NO_RULE },
    { .name = "a link register that was lost, and x29 is 0",
      .rule = { LEAF },
      .pc = IN,
      .link = IN + 1,
      .n = 2,
      .caller = IN + 1 },
    { .name = "a return address of 0", .rule = { LEAF }, .pc = IN, .n = 1 },
    { .name = "a return address that is nothing but a signature",
      .rule = { FRAME(31, 16) },
      .pc = IN,
      .words = { { 1, SIGNED } },
      .n = 1 },
    { .name = "a signal's trampoline with a rule",
      .rule = { .cfa = UNWIND_CFA_SIGNAL },
      .pc = IN,
      .words = { { SIGNAL(29), AT(90) }, { SIGNAL(31), AT(80) }, { SIGNAL(32), CALLER } },
      .n = 2,
      .caller = CALLER + 1 },
    { .name = "one without, and the link register of what it interrupted",
      .rule = { LEAF },
      .pc = IN,
      .link = PLAIN,
      .code = { PLAIN, TRAMPOLINE },
      .words = { { SIGNAL(30), CALLER }, { SIGNAL(31), AT(80) }, { SIGNAL(32), IN } },
      .n = 4,
      .caller = PLAIN + 1 },
    { .name = "no rows: the frame record",
      .pc = PLAIN,
      .bp = AT(2),
      .words = { { 3, CALLER | SIGNED } },
      .n = 2,
      .caller = CALLER },
    { .name = "no rows, and x29 is 0", .pc = PLAIN, .n = 1 },
    { .name = "no rows, and x29 is no pointer",
      .pc = PLAIN,
      .bp = AT(2) + 4,
      .n = 1,
      .stop = RECORD_STOP_NO_RULE },
    { .name = "behind a frame record, the caller's own tells where its frame ends",
      .rule = { FRAME(31, 32) },
      .pc = PLAIN,
      .bp = AT(2),
      .words = { { 2, AT(9) }, { 3, IN + 1 }, { 9, 1 }, { 10, CALLER } },
      .n = 3,
      .caller = IN + 1 },
    { .name = "or it has none, and the next one is followed",
      .rule = { .cfa = UNWIND_CFA_REG, .reg = 31, .cfa_off = 32, .ra_off = -8 },
      .pc = PLAIN,
      .bp = AT(2),
      .words = { { 2, AT(9) }, { 3, IN + 1 }, { 10, CALLER } },
      .n = 3,
      .caller = IN + 1 },
    { .name = "or its record would lie below",
      .rule = { FRAME(31, 32) },
      .pc = PLAIN,
      .bp = AT(2),
      .words = { { 2, AT(3) }, { 3, IN + 1 } },
      .n = 2,
      .caller = IN + 1,
      .stop = RECORD_STOP_NO_RULE },
    { .name = "a leaf without rows",
      .pc = PLAIN,
      .bp = AT(2),
      .link = CODE + 0x508,
      .code = { CODE + 0x500, BL(CODE + 0x504, PLAIN - 16) },
      .words = { { 3, CALLER } },
      .n = 3,
      .caller = CODE + 0x508 },
    { .name = "a call that returned to this function before",
      .pc = PLAIN,
      .bp = AT(2),
      .link = PLAIN - 16,
      .code = { PLAIN - 24, BL(PLAIN - 20, CODE) },
      .words = { { 3, CALLER } },
      .n = 2,
      .caller = CALLER },
    { .name = "a call from other code",
      .pc = PLAIN,
      .bp = AT(2),
      .link = CALLER,
      .code = { CALLER - 8, BL(CALLER - 4, OTHER_CODE + 0x800) },
      .words = { { 3, 0x666 } },
      .n = 2,
      .caller = CALLER },
    { .name = "a call by a register from other code, signed",
      .pc = PLAIN,
      .bp = AT(2),
      .link = CALLER | SIGNED,
      .code = { CALLER - 8, BLRAA },
      .words = { { 3, 0x666 } },
      .n = 2,
      .caller = CALLER },
    { .name = "a call by a register from this code says nothing",
      .pc = PLAIN,
      .bp = AT(2),
      .link = CODE + 0x508,
      .code = { CODE + 0x500, BLR },
      .words = { { 3, CALLER } },
      .n = 2,
      .caller = CALLER },
    { .name = "a link register behind no call",
      .pc = PLAIN,
      .bp = AT(2),
      .link = CALLER,
      .code = { CALLER - 8, 0x9100000000000000ULL },
      .words = { { 3, CALLER + 4 } },
      .n = 2,
      .caller = CALLER + 4 },
    { .name = "the end of musl's threads",
      .rule = { LEAF },
      .pc = IN,
      .bp = AT(2),
      .link = PLAIN,
      .code = { PLAIN, 0xd4000001d2800ba8ULL },
      .n = 2,
      .caller = PLAIN },
    { .name = "the start of a coroutine",
      .rule = { LEAF },
      .pc = IN,
      .bp = AT(2),
      .link = PLAIN,
      .code = { PLAIN, 0xaa1303e0d503201fULL },
      .n = 2,
      .caller = PLAIN + 1 },
    { .name = "a stack that grows",
      .rule = { .cfa = UNWIND_CFA_REG, .reg = 31, .cfa_off = -8, .ra_off = 8 },
      .pc = IN,
      .sp = AT(3),
      .words = { { 3, IN + 1 } },
      .n = 2,
      .caller = IN + 1,
      .stop = RECORD_STOP_NO_READ },
    { .name = "Go: a frame record below the stack pointer",
      .rule = { .cfa = UNWIND_CFA_REG,
                .reg = 31,
                .cfa_off = 32,
                .ra_off = -32,
                .bp = UNWIND_BP_AT_CFA,
                .bp_off = -40 },
      .pc = IN,
      .sp = AT(4),
      .words = { { 3, AT(2) }, { 4, CALLER } },
      .n = 2,
      .caller = CALLER },
    { .name = "Go: a leaf that was interrupted",
      .rule = { .cfa = UNWIND_CFA_REG,
                .reg = 31,
                .cfa_off = 16,
                .ra = UNWIND_RA_IN_REG,
                .ra_off = 30,
                .flags = UNWIND_RULE_INTERRUPTED },
      .pc = IN,
      .link = IN + 8,
      .words = { { 0, CALLER } },
      .n = 3,
      .caller = IN + 9 },
    { .name = "Go: another stack, lower than this one",
      .rule = { .cfa = UNWIND_CFA_REG,
                .reg = 29,
                .cfa_off = 40,
                .ra_off = -32,
                .bp = UNWIND_BP_AT_CFA,
                .bp_off = -40,
                .flags = UNWIND_RULE_SWITCHES },
      .pc = IN,
      .sp = AT(20),
      .bp = AT(3),
      .words = { { 3, AT(9) }, { 4, CALLER } },
      .n = 2,
      .caller = CALLER },
};

static void goes_to_callers(void **state)
{
    struct unwind_mapping native[] = { mappings[0], mappings[1] };

    (void)state;
    native[0].flags = UNWIND_NATIVE;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct unwind_rule rules[] = { { .cfa = UNWIND_CFA_NONE },
                                             cases[i].rule,
                                             { .cfa = UNWIND_CFA_END } };
        struct unwind_walk w = { .pc = cases[i].pc,
                                 .sp = cases[i].sp ? cases[i].sp : AT(0),
                                 .bp = cases[i].bp,
                                 .is_exact = 1,
                                 .has_regs = 1 };
        __u64 words[WORDS] = { 0 }, pcs[8] = { 0 };

        w.regs[UNWIND_REG_LINK] = cases[i].link;
        for (size_t j = 0; j < 6; j++)
            words[cases[i].words[j].at] |= cases[i].words[j].value;
        world.words = words;
        world.bytes = &cases[i].code;
        world.n_bytes = 1;
        world.view = (struct unwind_view){ .rows = rows,
                                           .rules = rules,
                                           .mappings = native,
                                           .n_rows = N_ROWS,
                                           .n_rules = 3,
                                           .n_mappings = 2,
                                           .space = { .n = 2 } };

        size_t n = walk(&w, pcs, 8);

        if (n != cases[i].n || w.stop != cases[i].stop || pcs[0] != cases[i].pc ||
            (cases[i].caller && pcs[1] != cases[i].caller))
            fail_msg("%s: %zu frames, stop %u, caller 0x%llx", cases[i].name, n, w.stop,
                     (unsigned long long)pcs[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(goes_to_callers) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
