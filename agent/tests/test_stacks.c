/* SPDX-License-Identifier: Apache-2.0 */
/* stacks: equal ones are counted together, and bounds are told. */
#include "agent/stacks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "process/thread/cut: places = count", a line a stack. */
static void print(void *arg, const struct stack *stack)
{
    FILE *out = arg;

    (void)fprintf(out, "%u/%u/%u:", stack->root.process, stack->root.thread, stack->root.cut);
    for (uint32_t i = 0; i < stack->n; i++)
        (void)fprintf(out, " %u", stack->places[i]);
    (void)fprintf(out, " = %llu\n", (unsigned long long)stack->count);
}

static char *text_of(const struct stacks *stacks)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    stacks_each(stacks, print, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void counts_equal_stacks_together(void **state)
{
    static const struct {
        struct stack_root root;
        uint32_t n, places[3];
    } added[] = {
        { { 1, 0, 0 }, 3, { 7, 8, 9 } }, { { 1, 0, 0 }, 2, { 7, 8 } },    { { 1, 0, 0 }, 0, { 0 } },
        { { 1, 0, 0 }, 3, { 7, 8, 9 } }, { { 1, 0, 2 }, 3, { 7, 8, 9 } }, { { 1, 5, 0 }, 1, { 7 } },
        { { 2, 0, 0 }, 3, { 7, 7, 7 } }, { { 1, 0, 0 }, 0, { 0 } },
    };
    struct stacks *stacks = stacks_new();

    (void)state;
    for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++)
        assert_true(stacks_add(stacks, added[i].root, added[i].places, added[i].n));

    char *text = text_of(stacks);

    assert_string_equal(text, "1/0/0: = 2\n"
                              "1/0/0: 7 8 = 1\n"
                              "1/0/0: 7 8 9 = 2\n"
                              "1/0/2: 7 8 9 = 1\n"
                              "1/5/0: 7 = 1\n"
                              "2/0/0: 7 7 7 = 1\n");
    free(text);
    stacks_free(stacks);
}

static void numbers_places_and_threads(void **state)
{
    struct stacks *stacks = stacks_new();
    uint32_t a, b, again;

    (void)state;
    assert_true(stacks_place(stacks, (struct place){ PLACE_IMAGE, 3, 0x10 }, &a));
    for (uint64_t i = 0; i < 5000; i++)
        assert_true(stacks_place(stacks, (struct place){ PLACE_JIT, 3, i }, &b));
    assert_true(stacks_place(stacks, (struct place){ PLACE_IMAGE, 3, 0x10 }, &again));
    assert_int_equal(a, again);
    assert_int_equal(stacks_n_places(stacks), 5001);
    assert_int_equal(stacks_place_at(stacks, b).addr, 4999);
    a = stacks_thread(stacks, "worker");
    b = stacks_thread(stacks,
                      "a-name-of-more-bytes-than-the-sixty-four-that-are-kept-of-any-thread");
    assert_int_equal(stacks_thread(stacks, "worker"), a);
    assert_true(a != b && a > STACKS_THREAD_OTHER);
    assert_string_equal(stacks_thread_name(stacks, b),
                        "a-name-of-more-bytes-than-the-sixty-four-that-are-kept-of-any-t");
    stacks_free(stacks);
}

static void says_when_it_is_full(void **state)
{
    struct stacks *stacks = stacks_new();
    uint32_t places[1000], number;
    uint32_t n = 0;

    (void)state;
    for (;; n++) {
        for (uint32_t i = 0; i < 1000; i++)
            places[i] = n * 1000 + i;
        if (!stacks_add(stacks, (struct stack_root){ 0, 2, 0 }, places, 1000))
            break;
    }
    assert_int_equal(n, (STACKS_NODES_MAX - STACKS_SPARE) / 1000);
    assert_false(stacks_add(stacks, (struct stack_root){ 1, 2, 0 }, NULL, 0));
    for (uint32_t i = 0; i < 4096; i++)
        assert_true(stacks_add(stacks, (struct stack_root){ i, STACKS_THREAD_MAIN, 9 }, NULL, 0));
    assert_false(stacks_add(stacks, (struct stack_root){ 0, STACKS_THREAD_MAIN, 0 }, places,
                            STACKS_DEPTH_MAX + 1));
    for (uint64_t i = 0; i < STACKS_PLACES_MAX; i++)
        assert_true(stacks_place(stacks, (struct place){ PLACE_KERNEL, 0, i }, &number));
    assert_false(stacks_place(stacks, (struct place){ PLACE_KERNEL, 1, 0 }, &number));
    stacks_free(stacks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_equal_stacks_together),
        cmocka_unit_test(numbers_places_and_threads),
        cmocka_unit_test(says_when_it_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
