/* SPDX-License-Identifier: Apache-2.0 */
/* unwind_golden: recorded stacks of x86-64 programs, walked anew. */
#define UNWIND_OF_ARM64 0

#include "agent/unwind/tests/golden_replay.h"

static void finds_the_recorded_frames(void **state)
{
    (void)state;
    replay_all("agent/unwind/tests/golden/*", 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(finds_the_recorded_frames) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
