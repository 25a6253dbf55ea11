/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/runtimes/interleave.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 16 };

/*
 * Leaf first. Native frames are capitals, L where the loop runs; others are small letters, "|"
 * ends a group, and "-" ends one without being shown.
 */
static const struct {
    const char *name, *native, *frames;
    bool from_root;
    const char *expect;
} cases[] = {
    { "nothing", "", "", true, "" },
    { "no interpreter", "ABC", "", true, "ABC" },
    { "one call", "ALB", "x|", true, "AxB" },
    { "one call runs several functions", "LB", "xyz|", true, "xyzB" },
    { "a call within a call", "ALBLC", "x|y|", true, "AxByC" },
    { "an extension at the leaf", "ABLC", "xy|", true, "ABxyC" },
    { "groups end with frames of their own", "ALBL", "x-yz-", true, "AxByz" },
    { "a group without a function", "LBL", "-x-", true, "LBx" },
    { "entered, but no frame made yet", "LALB", "x|", true, "LAxB" },
    { "from the leaf instead", "LALB", "x|", false, "xALB" },
    { "more groups than calls", "ALB", "x|y|z|", true, "AxyzB" },
    { "groups, and no call was seen", "AB", "x|y|", true, "ABxy" },
    { "the walk ended within a group", "ALBLC", "x|y", true, "AxByC" },
    { "only functions", "", "x|", false, "x" },
};

static void puts_frames_where_they_ran(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool is_loop[MAX] = { 0 }, ends[MAX] = { 0 }, shown[MAX] = { 0 };
        char letters[MAX], got[2 * MAX + 1] = "";
        struct interleaved order[2 * MAX];
        struct interleave_input in = { .is_loop = is_loop,
                                       .from_root = cases[i].from_root,
                                       .ends_group = ends,
                                       .is_shown = shown };

        for (const char *c = cases[i].native; *c; c++)
            is_loop[in.n_native++] = *c == 'L';
        for (const char *c = cases[i].frames; *c; c++) {
            if (*c == '|') {
                ends[in.n_frames - 1] = true;
                continue;
            }
            shown[in.n_frames] = *c != '-';
            ends[in.n_frames] = *c == '-';
            letters[in.n_frames++] = *c;
        }

        size_t n = interleave(&in, order);

        for (size_t j = 0; j < n; j++)
            got[j] = order[j].is_native ? cases[i].native[order[j].index] : letters[order[j].index];
        if (strcmp(got, cases[i].expect) != 0)
            fail_msg("%s: '%s', not '%s'", cases[i].name, got, cases[i].expect);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(puts_frames_where_they_ran) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
