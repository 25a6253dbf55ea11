/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json_string.h"

#include "lib/json.h"
#include "lib/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
    const char *name, *text, *value;
    size_t len; /* of the value, when it holds a NUL */
} decoded[] = {
    { "empty", "\"\"", "", 0 },
    { "plain", "\"web-0\"", "web-0", 0 },
    { "each letter", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 0 },
    { "escape between plain bytes", "\"a\\nb\\tc\"", "a\nb\tc", 0 },
    { "a backslash before an n", "\"\\\\n\"", "\\n", 0 },
    { "one byte", "\"\\u0041\\u007F\"", "A\x7f", 0 },
    { "two bytes", "\"\\u0080\\u00e9\\u07ff\"", "\xc2\x80\xc3\xa9\xdf\xbf", 0 },
    { "three bytes", "\"\\u0800\\u20AC\\uffff\"", "\xe0\xa0\x80\xe2\x82\xac\xef\xbf\xbf", 0 },
    { "pairs", "\"\\ud800\\udc00\\uD83D\\uDE00\\udbff\\udfff\"",
      "\xf0\x90\x80\x80\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf", 0 },
    { "UTF-8 stays", "\"\xc3\xa9\\n\xf0\x9f\x98\x80\"", "\xc3\xa9\n\xf0\x9f\x98\x80", 0 },
    { "NUL", "\"a\\u0000b\"", "a\0b", 3 },
};

static void decodes_as_json_c_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(decoded); i++) {
        _cleanup_json_ struct json_object *theirs = NULL;
        size_t len = strlen(decoded[i].text), got_len;
        size_t want_len = decoded[i].len ? decoded[i].len : strlen(decoded[i].value);
        char *text = mem_alloc(len); /* no NUL: a byte beyond it is a finding of the sanitizer */
        struct err e = { 0 };

        memcpy(text, decoded[i].text, len);
        const char *got = json_string_decode(text, len, &got_len);
        if (got_len != want_len || memcmp(got, decoded[i].value, want_len + 1) != 0)
            fail_msg("%s: '%s', %zu bytes", decoded[i].name, got, got_len);
        assert_int_equal(json_parse(decoded[i].text, len, 1, &theirs, &e), 0);
        assert_int_equal(json_object_get_string_len(theirs), want_len);
        assert_memory_equal(json_object_get_string(theirs), got, want_len);
        free(text);
    }
}

static const struct {
    const char *value, *text;
} written[] = {
    { "", "\"\"" },
    { "web-0", "\"web-0\"" },
    { "\"", "\"\\\"\"" },
    { "C:\\a/b", "\"C:\\\\a/b\"" },
    { "a\nb\tc\r\b\f", "\"a\\nb\\tc\\r\\b\\f\"" },
    { "\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\"" },
    { "\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
};

static void writes_as_json_c_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(written); i++) {
        _cleanup_buf_ struct buf out = BUF_INIT(256), theirs = BUF_INIT(256);
        _cleanup_json_ struct json_object *value = json_object_new_string(written[i].value);

        assert_int_equal(json_string_write(written[i].value, &out), 0);
        assert_string_equal(buf_str(&out), written[i].text);
        assert_int_equal(json_write(value, &theirs), 0);
        assert_string_equal(buf_str(&out), buf_str(&theirs));
    }
}

static void the_cap_is_kept(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 8; cap++) {
        _cleanup_buf_ struct buf out = BUF_INIT(cap);

        assert_int_equal(json_string_write("a\nbcd", &out), -ENOSPC);
        assert_true(out.len <= cap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_as_json_c_does),
        cmocka_unit_test(writes_as_json_c_does),
        cmocka_unit_test(the_cap_is_kept),
    };

    return cmocka_run_group_tests_name("json_string", tests, NULL, NULL);
}
