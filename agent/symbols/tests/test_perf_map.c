/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/symbols/perf_map.h"

#include "lib/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *name_one(const char *text, size_t len, uint64_t addr)
{
    struct perf_map_query query = { .addr = addr };
    FILE *in = fmemopen((char *)text, len, "r");

    assert_non_null(in);
    perf_map_name(in, &query, 1);
    (void)fclose(in);
    return query.name;
}

static const struct {
    const char *name, *text;
    uint64_t addr;
    const char *expect; /* NULL: none */
} cases[] = {
    { "first byte", "1000 20 LazyCompile:*f /app/a.js:1\n", 0x1000, "LazyCompile:*f /app/a.js:1" },
    { "last byte", "1000 20 f\n", 0x101f, "f" },
    { "one past the end", "1000 20 f\n", 0x1020, NULL },
    { "with 0x", "0x1000 0x20 f\n", 0x1001, "f" },
    { "the last line holds", "1000 20 old\n1000 20 new\n", 0x1010, "new" },
    { "a later line over a part", "1000 100 old\n1040 10 new\n", 0x1048, "new" },
    { "beside that part", "1000 100 old\n1040 10 new\n", 0x1050, "old" },
    { "no newline at the end", "1000 20 f", 0x1000, "f" },
    { "carriage return", "1000 20 f\r\n", 0x1000, "f" },
    { "lines that do not parse", "x\n\n1000\n1000 20\n1000 20 \n1000 20 f\n", 0x1000, "f" },
    { "size 0", "1000 0 f\n", 0x1000, NULL },
    { "beyond the last address", "ffffffffffffff00 200 f\n", 0xffffffffffffff80, NULL },
    { "address of 17 digits", "10000000000000000 20 f\n", 0, NULL },
};

static void names_what_a_line_covers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *name = name_one(cases[i].text, strlen(cases[i].text), cases[i].addr);

        if ((name == NULL) != (cases[i].expect == NULL) ||
            (name && strcmp(name, cases[i].expect) != 0))
            fail_msg("%s: '%s'", cases[i].name, name ? name : "(none)");
        free(name);
    }
}

/* What follows the cut is not taken for a line of its own. */
static void cuts_long_lines(void **state)
{
    _cleanup_buf_ struct buf text = BUF_INIT(1 << 16);

    (void)state;
    assert_int_equal(buf_add_str(&text, "1000 20 "), 0);
    while (text.len < 4000)
        assert_int_equal(buf_add_str(&text, "2000 20 x "), 0);
    assert_int_equal(buf_add_str(&text, "\n3000 20 next\n"), 0);

    char *cut = name_one(text.data, text.len, 0x1000);
    char *inner = name_one(text.data, text.len, 0x2000);
    char *next = name_one(text.data, text.len, 0x3000);

    assert_non_null(cut);
    assert_true(strlen(cut) <= PERF_MAP_NAME_MAX + 64);
    assert_null(inner);
    assert_string_equal(next, "next");
    free(cut);
    free(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_what_a_line_covers),
        cmocka_unit_test(cuts_long_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
