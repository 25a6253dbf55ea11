/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/kube/trim.h"

#include "lib/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *name, *in, *out; /* with 4 bytes kept */
} cases[] = {
    { "short", "{\"a\":\"bcd\",\"n\":12345678}", "{\"a\":\"bcd\",\"n\":12345678}" },
    { "at the bound", "[\"abcd\"]", "[\"abcd\"]" },
    { "past the bound", "[\"abcde\",\"x\"]", "[\"abcd\",\"x\"]" },
    { "keys too", "{\"abcdefgh\":1}", "{\"abcd\":1}" },
    { "escaped quote kept", "[\"ab\\\"cdef\"]", "[\"ab\\\"\"]" },
    { "escaped quote dropped", "[\"abcdef\\\"gh\\\\\",\"y\"]", "[\"abcd\",\"y\"]" },
    { "backslash at the bound", "[\"abcd\\\\\",1]", "[\"abcd\",1]" },
    { "escape begun before the bound", "[\"abc\\u00e9xyz\",1]", "[\"abc\\u00e9\",1]" },
    { "escape dropped", "[\"abcde\\u0022\\\"x\",1]", "[\"abcd\",1]" },
    { "a hex quote is no quote", "[\"\\u0022abcdefg\",1]", "[\"\\u0022\",1]" },
    { "UTF-8 is not cut", "[\"abc\xc3\xa9zz\",1]", "[\"abc\xc3\xa9\",1]" },
    { "no string at all", " { } \n", " { } \n" },
};

static void long_strings_are_cut_whatever_the_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i].in);

        for (size_t step = 1; step <= len; step++) {
            _cleanup_buf_ struct buf out = BUF_INIT(1024);
            struct kube_trim t = { .max = 4 };

            for (size_t at = 0; at < len; at += step)
                assert_int_equal(
                    kube_trim_feed(&t, cases[i].in + at, len - at < step ? len - at : step, &out),
                    0);
            if (strcmp(buf_str(&out), cases[i].out) != 0)
                fail_msg("%s, in pieces of %zu: '%s', expected '%s'", cases[i].name, step,
                         buf_str(&out), cases[i].out);
        }
    }
}

/* Every bound on a text full of surprises: the result parses whenever the input does. */
static void the_result_is_json(void **state)
{
    const char *in = "{\"k\\n\":[\"\\u0041\\\\\\\"\xe2\x82\xac\\/end\",\"\",\"\\\\\",null]}";

    (void)state;
    for (size_t max = 1; max < strlen(in); max++) {
        _cleanup_buf_ struct buf out = BUF_INIT(1024);
        _cleanup_json_ struct json_object *value = NULL;
        struct kube_trim t = { .max = max };
        struct err e = { 0 };

        assert_int_equal(kube_trim_feed(&t, in, strlen(in), &out), 0);
        if (json_parse(out.data, out.len, 8, &value, &e) < 0)
            fail_msg("max %zu: %s in '%s'", max, e.msg, out.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_strings_are_cut_whatever_the_pieces),
        cmocka_unit_test(the_result_is_json),
    };

    return cmocka_run_group_tests_name("trim", tests, NULL, NULL);
}
