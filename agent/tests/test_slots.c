/* SPDX-License-Identifier: Apache-2.0 */
/* slots: no run lies over another, and what is given back can be taken again, however it was cut.
 */
#include "agent/slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SLOTS = 1024, RUNS_MAX = 64 };

struct run {
    uint32_t first, n;
};

static const struct {
    const char *name;
    uint32_t n;
    uint32_t room; /* 0: refused */
} cases[] = {
    { "one", 1, 8 },
    { "a block", 8, 8 },
    { "a little more", 9, 16 },
    { "no power of two", 100, 128 },
    { "half", 512, 512 },
    { "more than half", 513, 1024 },
    { "all", 1024, 1024 },
    { "more than there are", 1025, 0 },
    { "far more", UINT32_MAX, 0 },
};

static void takes_and_gives(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct slots *slots = slots_new(SLOTS);
        uint32_t first = 77;
        bool taken = slots_take(slots, cases[i].n, &first);

        if (taken != (cases[i].room > 0) || slots_in_use(slots) != cases[i].room ||
            (taken && first % cases[i].room != 0) || (!taken && first != 77))
            fail_msg("%s: %d, %u slots in use, from %u", cases[i].name, taken, slots_in_use(slots),
                     first);
        if (taken)
            slots_give(slots, first, cases[i].n);
        assert_int_equal(slots_in_use(slots), 0);
        assert_true(slots_take(slots, SLOTS, &first));
        slots_free(slots);
    }
}

static void fills_up_and_says_so(void **state)
{
    struct slots *slots = slots_new(SLOTS);
    uint32_t first;

    (void)state;
    for (uint32_t i = 0; i < SLOTS / 8; i++) {
        assert_true(slots_take(slots, 5, &first));
        assert_int_equal(first, i * 8);
    }
    assert_false(slots_take(slots, 1, &first));
    slots_give(slots, 512, 5);
    assert_false(slots_take(slots, 9, &first));
    assert_true(slots_take(slots, 8, &first));
    assert_int_equal(first, 512);
    slots_free(slots);
}

/* Any order of taking and giving, against a plain list of who has what. */
static void never_gives_one_slot_twice(void **state)
{
    struct slots *slots = slots_new(SLOTS);
    struct run runs[RUNS_MAX] = { 0 };
    uint8_t used[SLOTS] = { 0 };
    unsigned seed = 1;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct run *run = &runs[(seed >> 16) % RUNS_MAX];

        seed = seed * 1103515245 + 12345;
        if (run->n) {
            slots_give(slots, run->first, run->n);
            memset(used + run->first, 0, run->n);
            run->n = 0;
            continue;
        }
        run->n = 1 + (seed >> 8) % 60;
        if (!slots_take(slots, run->n, &run->first)) {
            run->n = 0;
            continue;
        }
        assert_true(run->first + run->n <= SLOTS);
        for (uint32_t at = run->first; at < run->first + run->n; at++)
            assert_int_equal(used[at]++, 0);
    }
    for (size_t i = 0; i < RUNS_MAX; i++) {
        if (runs[i].n)
            slots_give(slots, runs[i].first, runs[i].n);
    }
    assert_int_equal(slots_in_use(slots), 0);
    assert_true(slots_take(slots, SLOTS, &runs[0].first));
    slots_free(slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_and_gives),
        cmocka_unit_test(fills_up_and_says_so),
        cmocka_unit_test(never_gives_one_slot_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
