/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/kallsyms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char shown[] = "ffffffff81000000 T _stext\n"
                            "ffffffff81000100 t local_one\n"
                            "ffffffff81000100 T its_alias\n"
                            "ffffffff81000180 D some_data\n"
                            "ffffffff81000200 W weak_one\n"
                            "garbage\n"
                            "ffffffffc0200010 t of_a_module\t[nf_tables]\n"
                            "ffffffff81000300 T out_of_order\n"
                            "ffffffffc0300000 t bpf_prog_6deef7357e7b4530_on_tick\t[bpf]\n";

static const struct {
    uint64_t addr;
    const char *name;
} cases[] = {
    { 0x1000, "" },
    { 0xffffffff80ffffff, "" },
    { 0xffffffff81000000, "_stext" },
    { 0xffffffff810000ff, "_stext" },
    { 0xffffffff81000100, "local_one" },
    { 0xffffffff810001a0, "local_one" },
    { 0xffffffff81000200, "weak_one" },
    { 0xffffffff810002ff, "weak_one" },
    { 0xffffffff81000310, "out_of_order" },
    { 0xffffffffc0200020, "of_a_module" },
    { 0xffffffffffffffff, "bpf_prog_6deef7357e7b4530_on_tick" },
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static bool name(const char *text, struct kallsyms_query *queries)
{
    FILE *in = fmemopen((char *)text, strlen(text), "r");

    assert_non_null(in);
    for (size_t i = 0; i < CASES; i++)
        queries[i] = (struct kallsyms_query){ .addr = cases[i].addr };

    bool seen = kallsyms_name(in, queries, CASES);

    (void)fclose(in);
    return seen;
}

static void names_by_the_last_symbol_before(void **state)
{
    struct kallsyms_query queries[CASES];

    (void)state;
    assert_true(name(shown, queries));
    for (size_t i = 0; i < CASES; i++) {
        if (strcmp(queries[i].name, cases[i].name) != 0)
            fail_msg("%llx: '%s', not '%s'", (unsigned long long)cases[i].addr, queries[i].name,
                     cases[i].name);
    }
}

static void hidden_addresses_name_nothing(void **state)
{
    struct kallsyms_query queries[CASES];

    (void)state;
    assert_false(name("0000000000000000 T _stext\n0000000000000000 t do_syscall_64\n", queries));
    for (size_t i = 0; i < CASES; i++)
        assert_string_equal(queries[i].name, "");
}

static void long_names_are_cut(void **state)
{
    struct kallsyms_query queries[CASES];
    char text[1200];

    (void)state;
    (void)snprintf(text, sizeof(text), "ffffffff81000000 T %0900d\n", 7);
    assert_true(name(text, queries));
    assert_int_equal(strlen(queries[2].name), KALLSYMS_NAME_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_by_the_last_symbol_before),
        cmocka_unit_test(hidden_addresses_name_nothing),
        cmocka_unit_test(long_names_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
