/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/rfc3339.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    bool ok;
    int64_t s;
} cases[] = {
    { "1970-01-01T00:00:00Z", true, 0 },
    { "2027-01-15T08:00:00Z", true, 1800000000 },
    { "2027-01-15T08:00:00.123456Z", true, 1800000000 },
    { "2024-02-29T23:59:59Z", true, 1709251199 },
    { "1969-12-31T23:59:59Z", true, -1 },
    { "0984-12-31T23:59:59Z", true, -31083523201 },
    { "0000-12-31T23:59:59Z", false, 0 },
    { "9999-12-31T23:59:60Z", false, 0 },
    { "", false, 0 },
    { "2027-01-15", false, 0 },
    { "2027-01-15T08:00:00", false, 0 },
    { "2027-01-15T08:00:00+01:00", false, 0 },
    { "2027-01-15T08:00:00.Z", false, 0 },
    { "2027-01-15T08:00:00Zx", false, 0 },
    { "2027-13-15T08:00:00Z", false, 0 },
    { "2027-00-15T08:00:00Z", false, 0 },
    { "2027-01-32T08:00:00Z", false, 0 },
    { "2027-01-15T24:00:00Z", false, 0 },
    { "2027-1-15T08:00:00Z", false, 0 },
    { " 2027-01-15T08:00:00Z", false, 0 },
};

static void times_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t s = 4711;
        bool ok = rfc3339_parse(cases[i].text, &s);

        if (ok != cases[i].ok || s != (ok ? cases[i].s : 4711))
            fail_msg("'%s': %d %lld", cases[i].text, ok, (long long)s);
    }
}

static void times_are_written(void **state)
{
    static const int64_t times[] = { 0, 1800000000, 253402300799, -31083523201, -62135596800 };
    char text[RFC3339_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        int64_t back = -1;

        rfc3339_format(times[i], text);
        assert_true(rfc3339_parse(text, &back));
        assert_int_equal(back, times[i]);
    }
    rfc3339_format(-62135596801, text);
    assert_string_equal(text, "");
    rfc3339_format(253402300800, text);
    assert_string_equal(text, "");
    rfc3339_format(INT64_MAX, text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(times_are_written),
    };

    return cmocka_run_group_tests_name("rfc3339", tests, NULL, NULL);
}
