/* SPDX-License-Identifier: Apache-2.0 */
/* runtime_functions: over a language of the test's own, whose functions are there or gone. */
#include "agent/runtimes/runtime_functions.h"

#include "lib/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { HIDDEN_CHECK = 13, FRAMES = 64 };

static bool is_there;
static int n_reads, n_looks;
static size_t bytes_each;

static bool read_function(pid_t pid, void *process, uint64_t object, uint32_t check,
                          void *ret_function)
{
    (void)pid;
    (void)process;
    n_reads++;
    if (!is_there)
        return false;
    *(uint64_t *)ret_function = check == HIDDEN_CHECK ? 0 : object;
    return true;
}

static void release_function(void *function)
{
    (void)function;
}

static size_t function_bytes(const void *function)
{
    (void)function;
    return bytes_each;
}

static bool is_shown(const void *function)
{
    return *(const uint64_t *)function != 0;
}

static uint32_t line(const void *function, uint32_t at)
{
    (void)function;
    return at;
}

static char *name(const void *function, uint32_t at_line)
{
    return mem_printf("f%u:%u", (unsigned)*(const uint64_t *)function, at_line);
}

static const struct runtime_kind made_up = {
    .function_size = sizeof(uint64_t),
    .read_function = read_function,
    .release_function = release_function,
    .function_bytes = function_bytes,
    .is_shown = is_shown,
    .line = line,
    .name = name,
};

/* Its code may be moved at any time. */
static size_t calls(pid_t pid, void *process, const struct runtime_frame *frame, uint64_t pc,
                    struct runtime_call ret_calls[RUNTIME_CALLS_MAX])
{
    (void)pid;
    (void)process;
    n_looks++;
    ret_calls[0] = (struct runtime_call){ .object = runtime_frame_object(frame) + pc };
    return 1;
}

static const struct runtime_kind moving = {
    .function_size = sizeof(uint64_t),
    .read_function = read_function,
    .release_function = release_function,
    .function_bytes = function_bytes,
    .calls = calls,
    .calls_change = true,
    .line = line,
    .name = name,
};

const struct runtime_kind *const runtime_kinds[RUNTIME_COUNT] = { &made_up, &moving };

static struct reading reading;
static char process_data;
static const struct runtime_place here = { .pid = 1, .data = &process_data };

static int begin(void **state)
{
    reading_init(&reading);
    is_there = true;
    bytes_each = 0;
    n_reads = n_looks = 0;
    *state = runtime_functions_new(&reading);
    return 0;
}

static int end(void **state)
{
    runtime_functions_free(*state);
    return 0;
}

static size_t find_frame(struct runtime_functions *f, const struct runtime_frame *frame,
                         uint64_t pc, const char *expected)
{
    struct runtimes_call calls_found[RUNTIME_CALLS_MAX];
    size_t n = runtime_functions_find(f, 1, &here, frame, pc, calls_found);
    bool is_known;

    if (n == 0 || !expected)
        return n;

    char *text = runtime_functions_name(f, calls_found[0].function, calls_found[0].line, &is_known);

    assert_string_equal(text, expected);
    assert_int_equal(is_known, expected[0] != '[');
    free(text);
    return n;
}

/* How many calls it is, of which the first is named so. */
static size_t find(struct runtime_functions *f, uint64_t object, uint32_t check, uint32_t at,
                   const char *expected)
{
    const struct runtime_frame frame = { .object = object, .check = check, .at = at };

    return find_frame(f, &frame, 0, expected);
}

static void a_function_is_read_once(void **state)
{
    for (int i = 0; i < FRAMES; i++)
        assert_int_equal(find(*state, 7, 0, 3, "f7:3"), 1);
    assert_int_equal(find(*state, 7, 0, 4, "f7:4"), 1);
    assert_int_equal(n_reads, 1);
    assert_int_equal(find(*state, 7, 1, 4, "f7:4"), 1); /* another one at the same place */
    assert_int_equal(n_reads, 2);
}

static void one_that_should_not_be_shown_is_no_call(void **state)
{
    for (int i = 0; i < FRAMES; i++)
        assert_int_equal(find(*state, 7, HIDDEN_CHECK, 3, ""), 0);
    assert_int_equal(n_reads, 1);
}

static void what_was_gone_is_looked_for_ever_more_rarely(void **state)
{
    is_there = false;
    for (int i = 0; i < FRAMES; i++)
        assert_int_equal(find(*state, 7, 0, 3, "[python+0x7]"), 1);
    assert_int_equal(n_reads, 7); /* at first, and after 1, 2, 4, 8, 16, 32 more */

    is_there = true;
    assert_int_equal(find(*state, 7, 0, 3, "f7:3"), 1); /* after 64 more */
    assert_int_equal(n_reads, 8);
}

static void more_text_than_is_kept_has_no_name(void **state)
{
    bytes_each = RUNTIMES_BYTES_MAX / 2;
    assert_int_equal(find(*state, 7, 0, 3, "f7:3"), 1);
    assert_int_equal(find(*state, 8, 0, 3, "[python+0x8]"), 1);
    assert_int_equal(reading.n_put_off, 1);
    bytes_each = 0;
    assert_int_equal(find(*state, 9, 0, 3, "f9:3"), 1);
}

static void more_functions_than_are_kept_share_one_without_a_name(void **state)
{
    char expected[32];

    is_there = false;
    for (unsigned i = 1; i <= RUNTIMES_FUNCTIONS_MAX; i++) {
        (void)snprintf(expected, sizeof(expected), "[python+0x%x]", i);
        assert_int_equal(find(*state, i, 0, 0, expected), 1);
    }
    assert_int_equal(find(*state, RUNTIMES_FUNCTIONS_MAX + 1, 0, 0, "[python+0x0]"), 1);
    assert_int_equal(find(*state, RUNTIMES_FUNCTIONS_MAX + 2, 0, 0, "[python+0x0]"), 1);
    assert_true(reading.n_put_off >= 2);
}

static void code_that_changes_is_looked_at_once_a_stack(void **state)
{
    const struct runtime_frame frame = { .object = 7 | 1ULL << RUNTIME_OBJECT_BITS };

    for (int i = 0; i < FRAMES; i++)
        assert_int_equal(find_frame(*state, &frame, 1, "f8:0"), 1);
    assert_int_equal(n_looks, 1);
    assert_int_equal(find_frame(*state, &frame, 2, "f9:0"), 1);
    assert_int_equal(n_looks, 2);

    runtime_functions_begin_stack(*state);
    assert_int_equal(find_frame(*state, &frame, 1, "f8:0"), 1);
    assert_int_equal(n_looks, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_function_is_read_once, begin, end),
        cmocka_unit_test_setup_teardown(one_that_should_not_be_shown_is_no_call, begin, end),
        cmocka_unit_test_setup_teardown(what_was_gone_is_looked_for_ever_more_rarely, begin, end),
        cmocka_unit_test_setup_teardown(more_text_than_is_kept_has_no_name, begin, end),
        cmocka_unit_test_setup_teardown(more_functions_than_are_kept_share_one_without_a_name,
                                        begin, end),
        cmocka_unit_test_setup_teardown(code_that_changes_is_looked_at_once_a_stack, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
