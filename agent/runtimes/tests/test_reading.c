/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/reading.h"
#include "agent/runtimes/runtime_threads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void time_that_was_spent_is_not_there(void **state)
{
    const uint64_t long_ns = 2000000000;
    struct reading reading;
    uint64_t began_ns;

    (void)state;
    reading_init(&reading);
    assert_true(reading_begin(&reading, &began_ns));
    reading_end(&reading, began_ns);
    assert_true(reading_begin(&reading, &began_ns));
    reading_end(&reading, began_ns - long_ns);
    assert_false(reading_begin(&reading, &began_ns));
    assert_false(reading_begin(&reading, &began_ns));
    assert_int_equal(reading.n_put_off, 2);
}

static void a_thread_is_asked_ever_more_rarely(void **state)
{
    struct runtime_threads *threads = runtime_threads_new();
    unsigned asked = 0;
    bool is_due;

    (void)state;
    for (unsigned i = 1; i <= 8; i++) {
        assert_null(*runtime_threads_at(threads, 1, 2, 3, &is_due));
        asked |= (unsigned)is_due << i;
    }
    assert_int_equal(asked, 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8);
    *runtime_threads_at(threads, 1, 2, 3, &is_due) = strdup("worker");
    assert_string_equal(*runtime_threads_at(threads, 1, 2, 3, &is_due), "worker");
    assert_null(*runtime_threads_at(threads, 1, 2, 4, &is_due));
    assert_true(is_due);
    for (int i = 0; i < RUNTIME_THREADS_MAX; i++)
        (void)runtime_threads_at(threads, 2, i, 3, &is_due);
    assert_null(*runtime_threads_at(threads, 1, 2, 3, &is_due));
    runtime_threads_free(threads);
    runtime_threads_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_that_was_spent_is_not_there),
        cmocka_unit_test(a_thread_is_asked_ever_more_rarely),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
