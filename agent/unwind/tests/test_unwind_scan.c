/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unwind_scan: the callers of code that nothing describes, found by the call in front of a return
 * address, over made-up code and stacks case by case.
 */
#define UNWIND_OF_ARM64 0

#include "agent/unwind/tests/unwind_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* Code that nothing describes: the function at FUNCTION, interrupted in its middle. */
#define FUNCTION    (CODE + 0x300)
#define INTERRUPTED (FUNCTION + 0x20)
#define CALL(ret, target)                                                                          \
    {                                                                                              \
        (ret) - 8, 0xe8000000ULL | (__u64)((target) - (ret)) << 32                                 \
    }
#define CALL_BY(ret, slot)                                                                         \
    {                                                                                              \
        (ret) - 8, 0x15ff0000ULL | (__u64)((slot) - (ret)) << 32                                   \
    }
#define JUMP_BY(entry, slot)                                                                       \
    {                                                                                              \
        (entry), 0x25ffULL | (__u64)(__u32)((slot) - (entry)-6) << 16                              \
    }
enum { PLT = CODE + 0xf00, SLOT = 0x6000, OTHER = OTHER_CODE + 0x900 };

static const struct {
    const char *name;
    struct bytes bytes[8];
    struct bytes words[3]; /* of the stack, by number */
    size_t n;
    __u64 caller, bp; /* rbp is 1 at first; where the case names a frame pointer, AT(2) */
    __u8 stop;
} scan_cases[] = {
    { "a call", { CALL(CALLER, FUNCTION) }, { { 3, CALLER } }, 2, CALLER, 1, RECORD_STOP_END },
    { "a call by a slot",
      { CALL_BY(CALLER, SLOT), { SLOT, FUNCTION } },
      { { 3, CALLER } },
      2,
      CALLER,
      1,
      RECORD_STOP_END },
    { "a call by the PLT",
      { CALL(CALLER, PLT), JUMP_BY(PLT, SLOT), { SLOT, FUNCTION } },
      { { 3, CALLER } },
      2,
      CALLER,
      1,
      RECORD_STOP_END },
    { "by a PLT with endbr64 and bnd",
      { CALL(CALLER, PLT),
        { PLT, 0xfa1e0ff3 },
        { PLT + 4, 0x25fff2ULL | (__u64)(__u32)(SLOT - PLT - 11) << 24 },
        { SLOT, FUNCTION } },
      { { 3, CALLER } },
      2,
      CALLER,
      1,
      RECORD_STOP_END },
    { "of a function that jumps on",
      { CALL(CALLER, OTHER), { OTHER, 0xe99090ULL | (__u64)(__u32)(FUNCTION - OTHER - 7) << 24 } },
      { { 3, CALLER } },
      2,
      CALLER,
      1,
      RECORD_STOP_END },
    { "a word that no call is in front of",
      { { 0 } },
      { { 3, CALLER } },
      1,
      0,
      1,
      RECORD_STOP_NO_RULE },
    { "a call of another function",
      { CALL(CALLER, FUNCTION + 0x600) },
      { { 3, CALLER } },
      1,
      0,
      1,
      RECORD_STOP_NO_RULE },
    { "a stale word, and then the right one",
      { CALL(CALLER + 0x50, FUNCTION - 0x700), CALL(CALLER, FUNCTION) },
      { { 1, CALLER + 0x50 }, { 3, CALLER } },
      2,
      CALLER,
      1,
      RECORD_STOP_END },
    { "a frame pointer, and nothing below it",
      { CALL(CALLER, FUNCTION), CALL(CALLER + 0x50, OTHER) },
      { { 2, 90 }, { 3, CALLER + 0x50 }, { 5, CALLER } },
      2,
      CALLER + 0x50,
      90,
      RECORD_STOP_END },
    { "a frame pointer of the caller",
      { CALL(CALLER, FUNCTION), CALL(CALLER + 0x50, OTHER) },
      { { 1, CALLER }, { 2, 90 }, { 3, CALLER + 0x50 } },
      2,
      CALLER,
      AT(2),
      RECORD_STOP_END },
    { "a frame pointer that is always kept",
      { CALL(CALLER, FUNCTION), CALL(CALLER + 0x50, OTHER) },
      { { 1, CALLER }, { 2, 90 }, { 3, CALLER + 0x50 } },
      2,
      CALLER + 0x50,
      90,
      RECORD_STOP_END },
    { "rbp that was pushed second",
      { CALL(CALLER, FUNCTION), { FUNCTION, 0x555741 } },
      { { 1, 88 }, { 3, CALLER } },
      2,
      CALLER,
      88,
      RECORD_STOP_END },
    { "rbp that was pushed fifth",
      { CALL(CALLER, FUNCTION), { FUNCTION, 0x5441554156415741 }, { FUNCTION + 8, 0x55 } },
      { { 1, 88 }, { 6, CALLER } },
      2,
      CALLER,
      88,
      RECORD_STOP_END },
    { "rbp that was pushed behind endbr64",
      { CALL(CALLER, FUNCTION), { FUNCTION, 0x55fa1e0ff3 } },
      { { 2, 88 }, { 3, CALLER } },
      2,
      CALLER,
      88,
      RECORD_STOP_END },
    { "a word far up the stack",
      { CALL(CALLER, FUNCTION) },
      { { 255, CALLER } },
      2,
      CALLER,
      1,
      RECORD_STOP_END },
    { "a word beyond those that are looked at",
      { CALL(CALLER, FUNCTION) },
      { { 256, CALLER } },
      1,
      0,
      1,
      RECORD_STOP_NO_RULE },
    { "rbp that is pushed later",
      { CALL(CALLER, FUNCTION), { FUNCTION, 0x9053 } },
      { { 1, 88 }, { 3, CALLER } },
      2,
      CALLER,
      1,
      RECORD_STOP_END },
    { "what clone() starts",
      { { FUNCTION + 0x80 - 8, 0xd1ff41ULL << 40 }, { FUNCTION + 0x80, UNWIND_MUSL_THREAD_EXIT } },
      { { 3, FUNCTION + 0x80 } },
      2,
      FUNCTION + 0x80,
      1,
      RECORD_STOP_END },
    { "what makecontext() starts",
      { CALL(FUNCTION + 0x80, FUNCTION), { FUNCTION + 0x80, 0x48243c8b48dc8948 } },
      { { 3, FUNCTION + 0x80 } },
      2,
      FUNCTION + 0x81,
      1,
      RECORD_STOP_END },
    { "what crt1 starts",
      { { CALLER - 8, 0x7fffffffe8f0e483 } },
      { { 3, CALLER } },
      2,
      CALLER,
      1,
      RECORD_STOP_END },
    { "what crt1 starts is near",
      { { CALLER - 8, 0x7fffffffe8f0e483 } },
      { { 30, CALLER } },
      1,
      0,
      1,
      RECORD_STOP_NO_RULE },
};

static const struct unwind_rule scan_rules[] = { { .cfa = UNWIND_CFA_NONE },
                                                 { .cfa = UNWIND_CFA_NONE },
                                                 { .cfa = UNWIND_CFA_END } };
static struct unwind_mapping native[2];

/* Code without rows, but for some that nobody calls, over @words. */
static void begin(const __u64 *words, const struct bytes *bytes, size_t n_bytes)
{
    native[0] = mappings[0];
    native[1] = mappings[1];
    native[0].flags = native[1].flags = UNWIND_NATIVE;
    world.words = words;
    world.bytes = bytes;
    world.n_bytes = n_bytes;
    world.view = (struct unwind_view){ .rows = rows,
                                       .rules = scan_rules,
                                       .mappings = native,
                                       .n_rows = N_ROWS,
                                       .n_rules = 3,
                                       .n_mappings = 2,
                                       .space = { .n = 2 } };
}

static void finds_return_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(scan_cases) / sizeof(scan_cases[0]); i++) {
        struct unwind_walk w = { .pc = INTERRUPTED, .sp = STACK, .bp = 1, .is_exact = 1 };
        __u64 words[WORDS] = { 0 }, pcs[8] = { 0 };

        if (strstr(scan_cases[i].name, "frame pointer"))
            w.bp = AT(2);
        w.by_pointer = w.keeps_pointers = strstr(scan_cases[i].name, "always kept") != NULL;
        for (size_t j = 0; j < 3; j++)
            words[scan_cases[i].words[j].at] |= scan_cases[i].words[j].value;
        begin(words, scan_cases[i].bytes, 8);

        size_t n = walk(&w, pcs, 8);

        if (n != scan_cases[i].n || w.stop != scan_cases[i].stop || w.bp != scan_cases[i].bp ||
            pcs[1] != scan_cases[i].caller)
            fail_msg("%s: %zu frames, stop %u, caller 0x%llx, rbp %llu", scan_cases[i].name, n,
                     w.stop, (unsigned long long)pcs[1], (unsigned long long)w.bp);
    }
    world.n_bytes = 0;
}

/* Frames as large as the search looks, filled with one word, in code without rows. */
enum { FRAME = 256, BEHIND = OTHER_CODE + 0x880, FAR = OTHER_CODE + 0xe00, AWAY = 0x500000 };

static const struct {
    const char *name;
    struct bytes bytes[4];
    __u64 word;
} hostile_cases[] = {
    { "behind calls of a far function",
      { CALL(BEHIND, FAR), { FAR, 0 }, { FAR + 8, 0 }, { FAR + 16, 0 } },
      BEHIND },
    { "behind calls of what cannot be read", { CALL(BEHIND, AWAY) }, BEHIND },
    { "behind calls by a slot that cannot be read", { CALL_BY(BEHIND, AWAY) }, BEHIND },
    { "not to be read", { CALL(BEHIND, FAR) }, AWAY },
};

static void bounds_what_it_costs(void **state)
{
    enum { STEP_MAX = SPENT_TURN + 5 * SPENT_READ + 2 * SPENT_FAULT };

    (void)state;
    for (size_t i = 0; i < sizeof(hostile_cases) / sizeof(hostile_cases[0]); i++) {
        struct unwind_walk w = { .pc = INTERRUPTED, .sp = STACK, .bp = AT(254), .is_exact = 1 };
        static __u64 words[WORDS], pcs[RECORD_USER_MAX];

        for (size_t at = 0; at < WORDS; at++)
            words[at] = hostile_cases[i].word;
        for (size_t at = FRAME - 2; at < WORDS; at += FRAME) {
            words[at] = AT(at + FRAME);
            words[at + 1] = BEHIND;
        }
        begin(words, hostile_cases[i].bytes, 4);

        size_t n = walk(&w, pcs, RECORD_USER_MAX);

        if (w.stop != RECORD_STOP_COSTLY || n < 2 || world.spent > SPENT_MAX + STEP_MAX ||
            world.spent_by_step > STEP_MAX)
            fail_msg("%s: %zu frames, stop %u, cost %u, at most %u a step", hostile_cases[i].name,
                     n, w.stop, world.spent, world.spent_by_step);
    }
    world.n_bytes = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(finds_return_addresses),
                                        cmocka_unit_test(bounds_what_it_costs) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
