/* SPDX-License-Identifier: Apache-2.0 */
/* python_step, python_layout, python_code, python_thread: over recorded stacks of each version of
 * CPython, against what that said itself. */
#include "agent/runtimes/python/tests/python_golden.h"
#include "agent/runtimes/tests/recorded_test.h"

static void take_image(struct recorded_test *t, const char *line)
{
    struct python_image image = { 0 };

    assert_int_equal(sscanf(line, "image %d %" SCNx64 " %" SCNx64, &image.minor, &image.runtime,
                            &image.code_type),
                     3);
    recorded_test_meet(t, RUNTIME_PYTHON, &image);
}

static void take_thread(struct recorded_test *t, const char *line)
{
    uint64_t id;
    int number;

    assert_int_equal(sscanf(line, "thread %" SCNx64 " %d", &id, &number), 2);
    recorded_test_begin(t);
    assert_true(python_golden_walk(&t->process, id, number));
}

static void take_line(struct recorded_test *t, const char *line)
{
    if (strncmp(line, "image ", 6) == 0)
        take_image(t, line);
    else
        take_thread(t, line);
}

static void says_what_the_interpreter_says(void **state)
{
    enum { FILES_MIN = 7, STACKS_MIN = 15 };

    (void)state;
    recorded_test_files("agent/runtimes/python/tests/golden/python-*", take_line, FILES_MIN,
                        STACKS_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(says_what_the_interpreter_says) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
