/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/duration.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    int64_t seconds;
    int code;
} cases[] = {
    { "90s", 90, 0 },        { "1m30s", 90, 0 },       { "2m", 120, 0 },
    { "1h", 3600, 0 },       { "60m", 3600, 0 },       { "3600s", 3600, 0 },
    { "30S", 30, 0 },        { "2M", 120, 0 },         { "0h0m1s", 1, 0 },
    { "00030s", 30, 0 },     { "0s", 0, -ERANGE },     { "0h0m0s", 0, -ERANGE },
    { "3601s", 0, -ERANGE }, { "2h61m", 0, -ERANGE },  { "99999h99999m99999s", 0, -ERANGE },
    { "", 0, -EINVAL },      { "5", 0, -EINVAL },      { "s", 0, -EINVAL },
    { "69x", 0, -EINVAL },   { "-5s", 0, -EINVAL },    { "+5s", 0, -EINVAL },
    { " 5s", 0, -EINVAL },   { "5s ", 0, -EINVAL },    { "1.5m", 0, -EINVAL },
    { "1s1m", 0, -EINVAL },  { "1m1m", 0, -EINVAL },   { "000030s", 0, -EINVAL },
    { "100ms", 0, -EINVAL }, { "1h 30m", 0, -EINVAL }, { "5s\n", 0, -EINVAL },
    { "９s", 0, -EINVAL },   { "1e3s", 0, -EINVAL },   { "5µs", 0, -EINVAL },
};

static void parse_accepts_and_rejects(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = { 0 };
        int64_t seconds = -7;
        int code = duration_parse(cases[i].text, &seconds, &e);

        if (code != cases[i].code || seconds != (code == 0 ? cases[i].seconds : -7))
            fail_msg("'%s': code %d, %lld seconds; expected %d, %lld", cases[i].text, code,
                     (long long)seconds, cases[i].code, (long long)cases[i].seconds);
        if (code < 0)
            assert_true(strlen(e.msg) > 0);
    }
}

static void format_is_what_parse_reads(void **state)
{
    char text[DURATION_TEXT_MAX];
    struct err e = { 0 };
    int64_t seconds;

    (void)state;
    for (int64_t s = DURATION_MIN_S; s <= DURATION_MAX_S; s++) {
        duration_format(s, text, sizeof(text));
        assert_int_equal(duration_parse(text, &seconds, &e), 0);
        assert_int_equal(seconds, s);
    }
    duration_format(0, text, sizeof(text));
    assert_string_equal(text, "0s");
    duration_format(5430, text, sizeof(text));
    assert_string_equal(text, "1h30m30s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_accepts_and_rejects),
        cmocka_unit_test(format_is_what_parse_reads),
    };

    return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}
