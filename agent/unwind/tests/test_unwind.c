/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind: the very source that walks stacks in the kernel, over a made-up stack and tables case by
 * case, and over this thread's own stack against what the C library's backtrace() finds.
 */
#define UNWIND_OF_ARM64 0

#include "agent/images.h"
#include "agent/process.h"
#include "agent/unwind/tests/deep_look.h"
#include "agent/unwind/tests/unwind_world.h"
#include "agent/unwind/unwind_tables.h"

#include <execinfo.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#define TRAMPOLINE  (CODE + 0x220)
#define TAKES_DOWN  (CODE + 0x230)
#define REG(r, off) .cfa = UNWIND_CFA_REG, .reg = (r), .cfa_off = (off), .ra_off = -8

static const struct {
    const char *name;
    struct unwind_rule rule;
    __u64 pc, sp, bp;
    struct {
        unsigned at;
        __u64 value;
    } words[8];
    size_t n;
    __u64 caller;
    __u8 stop;
} cases[] = {
    { "rsp and an offset",
      { REG(7, 16) },
      CODE + 0x110,
      AT(0),
      1,
      { { 1, CALLER } },
      2,
      CALLER,
      RECORD_STOP_END },
    { "rbp and an offset",
      { REG(6, 16) },
      CODE + 0x110,
      AT(0),
      AT(4),
      { { 5, CALLER } },
      2,
      CALLER,
      RECORD_STOP_END },
    { "a register of the interrupted frame",
      { REG(10, 8) },
      CODE + 0x110,
      AT(0),
      1,
      { { 9, CALLER } },
      2,
      CALLER,
      RECORD_STOP_END },
    { "the return address in a register",
      { .cfa = UNWIND_CFA_REG, .reg = 7, .ra = UNWIND_RA_IN_REG, .ra_off = 5 },
      CODE + 0x110,
      AT(0),
      1,
      { { 0, 0 } },
      2,
      CALLER,
      RECORD_STOP_END },
    { "a register of a frame that is not the interrupted one",
      { REG(10, 8) },
      CODE + 0x210,
      AT(0),
      AT(2),
      { { 2, AT(9) }, { 3, CODE + 0x111 } },
      2,
      CODE + 0x111,
      RECORD_STOP_NO_RULE },
    { "a register of the caller of code without a frame",
      { REG(10, 8) },
      FRAMELESS,
      AT(0),
      1,
      { { 0, CODE + 0x110 }, { 9, CALLER } },
      3,
      CODE + 0x110,
      RECORD_STOP_END },
    { "dereferenced",
      { .cfa = UNWIND_CFA_DEREF, .reg = 6, .cfa_off = -8, .deref_off = 8, .ra_off = -8 },
      CODE + 0x110,
      AT(0),
      AT(4),
      { { 3, AT(10) }, { 10, CALLER } },
      2,
      CALLER,
      RECORD_STOP_END },
    { "a PLT entry before its push",
      { .cfa = UNWIND_CFA_PLT, .cfa_off = 11, .ra_off = -8 },
      CODE + 0x11a,
      AT(0),
      1,
      { { 0, CALLER } },
      2,
      CALLER,
      RECORD_STOP_END },
    { "and after it",
      { .cfa = UNWIND_CFA_PLT, .cfa_off = 11, .ra_off = -8 },
      CODE + 0x11b,
      AT(0),
      1,
      { { 0, 7 }, { 1, CALLER } },
      2,
      CALLER,
      RECORD_STOP_END },
    { "a signal's trampoline",
      { .cfa = UNWIND_CFA_SIGNAL },
      CODE + 0x110,
      AT(0),
      1,
      { { 21, CALLER }, { 20, AT(30) }, { 15, AT(32) } },
      2,
      CALLER + 1,
      RECORD_STOP_END },
    { "a register of the frame that a signal interrupted",
      { REG(10, 8) },
      CODE + 0x210,
      AT(0),
      AT(2),
      { { 2, 1 },
        { 3, TRAMPOLINE },
        { 4 + 7, AT(30) },
        { 4 + 15, 1 },
        { 4 + 20, AT(28) },
        { 4 + 21, CODE + 0x110 },
        { 30, CALLER } },
      4,
      TRAMPOLINE + 1,
      RECORD_STOP_END },
    { "rbp saved, and used by the next frame",
      { REG(7, 24), .bp = UNWIND_BP_AT_CFA, .bp_off = -16 },
      CODE + 0x110,
      AT(0),
      1,
      { { 1, AT(6) }, { 2, CODE + 0x210 }, { 6, 0 }, { 7, CALLER } },
      3,
      CODE + 0x210,
      RECORD_STOP_END },
    { "rbp saved at rbp",
      { REG(7, 16), .bp = UNWIND_BP_AT_BP },
      CODE + 0x110,
      AT(0),
      AT(4),
      { { 1, CODE + 0x210 }, { 4, AT(6) }, { 7, CALLER } },
      3,
      CODE + 0x210,
      RECORD_STOP_END },
    { "no rows: the frame pointer",
      { 0 },
      CODE + 0x210,
      AT(0),
      AT(2),
      { { 3, CALLER } },
      2,
      CALLER,
      RECORD_STOP_END },
    { "no rows, and rbp is no pointer",
      { 0 },
      CODE + 0x210,
      AT(0),
      AT(2) + 1,
      { { 3, CALLER } },
      1,
      0,
      RECORD_STOP_NO_RULE },
    { "no rows, and rbp leads back",
      { 0 },
      CODE + 0x210,
      AT(4),
      AT(2),
      { { 3, CALLER } },
      1,
      0,
      RECORD_STOP_NO_RULE },
    { "no rows, and rbp is 0, as threads begin",
      { 0 },
      CODE + 0x210,
      AT(0),
      0,
      { { 3, 1 } },
      1,
      0,
      RECORD_STOP_END },
    { "no rows, and rbp leads to nothing that could be a frame",
      { 0 },
      CODE + 0x210,
      AT(0),
      AT(2),
      { { 2, 77 }, { 3, 0 } },
      1,
      0,
      RECORD_STOP_NO_RULE },
    { "no rows, and the frame is taken down behind the call",
      { REG(7, 16) },
      CODE + 0x110,
      AT(0),
      AT(2) + 1,
      { { 1, TAKES_DOWN }, { 3, CALLER } },
      3,
      TAKES_DOWN,
      RECORD_STOP_END },
    { "not understood",
      { .cfa = UNWIND_CFA_UNKNOWN },
      CODE + 0x110,
      AT(0),
      1,
      { { 0, 0 } },
      1,
      0,
      RECORD_STOP_NO_RULE },
    { "a caller in no code",
      { REG(7, 16) },
      CODE + 0x110,
      AT(0),
      1,
      { { 1, 0x666 } },
      2,
      0x666,
      RECORD_STOP_NO_CODE },
    { "a caller of 0",
      { REG(7, 16) },
      CODE + 0x110,
      AT(0),
      1,
      { { 1, 0 } },
      1,
      0,
      RECORD_STOP_END },
    { "past the end of the stack",
      { REG(7, 16) },
      CODE + 0x110,
      AT(WORDS),
      1,
      { { 1, 0 } },
      1,
      0,
      RECORD_STOP_NO_READ },
    { "a stack that grows",
      { REG(7, 0), .bp = 0 },
      CODE + 0x110,
      AT(1),
      1,
      { { 0, CODE + 0x120 } },
      2,
      CODE + 0x120,
      RECORD_STOP_NO_READ },
    { "a goroutine's stack that was left",
      { .cfa = UNWIND_CFA_GOROUTINE, .cfa_off = 80, .deref_off = 8, .bp_off = 0x60 },
      CODE + 0x110,
      AT(3),
      1,
      { { 10, AT(11) }, { 17, AT(18) }, { 19, AT(22) }, { 29, AT(35) }, { 30, CALLER } },
      2,
      CALLER,
      RECORD_STOP_END },
    { "a goroutine's stack before it is left",
      { .cfa = UNWIND_CFA_GOROUTINE, .cfa_off = 80, .deref_off = 8, .bp_off = 0x60 },
      CODE + 0x110,
      AT(3),
      1,
      { { 10, AT(11) }, { 17, AT(18) }, { 19, AT(11) }, { 3, CALLER } },
      2,
      CALLER,
      RECORD_STOP_END },
    { "no goroutine",
      { .cfa = UNWIND_CFA_GOROUTINE, .cfa_off = 80, .deref_off = 8, .bp_off = 0x60 },
      CODE + 0x110,
      AT(3),
      1,
      { { 10, AT(11) }, { 17, AT(18) } },
      1,
      0,
      RECORD_STOP_END },
    { "no Go on this thread",
      { .cfa = UNWIND_CFA_GOROUTINE, .cfa_off = 80, .deref_off = 8, .bp_off = 0x60 },
      CODE + 0x110,
      AT(3),
      1,
      { { 10, 0 } },
      1,
      0,
      RECORD_STOP_END },
    { "another stack, lower than this one",
      { .cfa = UNWIND_CFA_REG,
        .reg = UNWIND_REG_BP,
        .cfa_off = 16,
        .ra_off = -8,
        .bp = UNWIND_BP_AT_CFA,
        .bp_off = -16,
        .flags = UNWIND_RULE_SWITCHES },
      CODE + 0x210,
      AT(20),
      AT(22),
      { { 22, AT(2) }, { 23, CODE + 0x111 }, { 3, CALLER } },
      3,
      CODE + 0x111,
      RECORD_STOP_END },
    { "a caller that was interrupted",
      { REG(7, 16), .flags = UNWIND_RULE_INTERRUPTED },
      CODE + 0x110,
      AT(0),
      1,
      { { 1, OTHER_CODE } },
      2,
      OTHER_CODE + 1,
      RECORD_STOP_END },
    { "the interrupted code is unknown",
      { REG(7, 16) },
      0x666,
      AT(0),
      1,
      { { 1, CALLER } },
      1,
      0,
      RECORD_STOP_NO_CODE },
    { "the first byte of code",
      { REG(7, 16) },
      OTHER_CODE,
      AT(0),
      1,
      { { 1, 0 } },
      1,
      0,
      RECORD_STOP_END },
    { "one behind the last",
      { REG(7, 16) },
      OTHER_CODE + CODE_SIZE,
      AT(0),
      1,
      { { 1, 0 } },
      1,
      0,
      RECORD_STOP_NO_CODE },
};

static void goes_to_callers(void **state)
{
    const struct bytes code[] = { { TRAMPOLINE, 0x0f0000000fc0c748 },
                                  { TAKES_DOWN, 0xc308c48348 } };

    (void)state;
    world.bytes = code;
    world.n_bytes = sizeof(code) / sizeof(code[0]);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct unwind_rule rules[] = {
            { .cfa = UNWIND_CFA_NONE }, cases[i].rule, { .cfa = UNWIND_CFA_END }, { REG(7, 8) }
        };
        struct unwind_walk w = {
            .pc = cases[i].pc, .sp = cases[i].sp, .bp = cases[i].bp, .thread = AT(0)
        };
        __u64 words[WORDS] = { 0 }, pcs[8] = { 0 };

        w.is_exact = w.has_regs = 1;
        w.regs[5] = CALLER;
        w.regs[10] = AT(9);
        for (size_t j = 0; j < 8; j++)
            words[cases[i].words[j].at] |= cases[i].words[j].value;
        world.words = words;
        world.view = (struct unwind_view){ .rows = rows,
                                           .rules = rules,
                                           .mappings = mappings,
                                           .n_rows = N_ROWS,
                                           .n_rules = 4,
                                           .n_mappings = 2,
                                           .space = { .n = 2 } };

        size_t n = walk(&w, pcs, 8);

        if (n != cases[i].n || w.stop != cases[i].stop || pcs[0] != cases[i].pc ||
            (cases[i].caller && pcs[1] != cases[i].caller))
            fail_msg("%s: %zu frames, stop %u, caller 0x%llx", cases[i].name, n, w.stop,
                     (unsigned long long)pcs[1]);
    }
}

/* What a thread that is interrupted right here would look like. */
static void *own_frames[64];
static __u64 walked[64];
static volatile int n_own_frames; /* written by a signal's handler, as is what follows */
static volatile size_t n_walked;
static volatile __u8 walk_stop;

__attribute__((noinline)) static void look(void)
{
    struct unwind_walk w = { .is_exact = 1 };

    __asm__ volatile("lea 0f(%%rip), %0\n0: mov %%rsp, %1\n mov %%rbp, %2"
                     : "=&r"(w.pc), "=&r"(w.sp), "=&r"(w.bp));
    world.words = NULL;
    n_walked = walk(&w, walked, 64);
    walk_stop = w.stop;
    n_own_frames = backtrace(own_frames, 64);
}

static void agrees_with_backtrace(void **state)
{
    struct images *images = images_new();
    struct unwind_tables *tables = unwind_tables_new(images);
    struct processes *processes = processes_new(images, tables, NULL);
    size_t same = 0;

    (void)state;
    pid_t pid = getpid();

    processes_expect(processes, &pid, 1, 1);
    world.view =
        unwind_tables_view(tables, &running_layout(processes_running(processes, pid))->place);
    assert_int_equal(unwind_tables_left_out(tables).images, 0);
    deep_look(look);

    /* Compared from the root, for a sanitizer adds frames of its own at the leaf. look() itself is
     * at another address; ours are one more where a signal interrupted. */
    assert_true(n_walked > 5 && n_walked <= (size_t)n_own_frames);
    for (size_t i = 1; i < n_walked; i++)
        same += walked[n_walked - i] - (__u64)own_frames[(size_t)n_own_frames - i] <= 1;
    assert_int_equal(same, n_walked - 1);
    assert_int_equal(walk_stop, RECORD_STOP_END);
    processes_free(processes);
    unwind_tables_free(tables);
    images_free(images);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_to_callers),
#ifdef __x86_64__
        cmocka_unit_test(agrees_with_backtrace),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
