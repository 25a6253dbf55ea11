/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { DEPTH = 4 };

static const struct {
    const char *name, *text, *again; /* again NULL: refused */
} cases[] = {
    { "object", "{\"a\":[1,true,null,\"x\"]}", "{\"a\":[1,true,null,\"x\"]}" },
    { "blanks around", " \n{} \t\r\n", "{}" },
    { "bare number", "12", "12" },
    { "bare text", "\"a/b\"", "\"a/b\"" },
    { "null", "null", "null" },
    { "deepest", "[[[1]]]", "[[[1]]]" },
    { "escaped NUL", "\"a\\u0000b\"", "\"a\\u0000b\"" },
    { "empty", "", NULL },
    { "only blanks", "  ", NULL },
    { "too deep", "[[[[1]]]]", NULL },
    { "cut", "{\"a\":1", NULL },
    { "cut text", "\"a", NULL },
    { "two values", "{} {}", NULL },
    { "trailing word", "{}x", NULL },
    { "trailing comma", "[1,]", NULL },
    { "single quotes", "['a']", NULL },
    { "comment", "{/* */}", NULL },
    { "upper case literal", "TRUE", NULL },
    { "leading zero", "[01]", NULL },
    { "NUL in a key", "{\"a\\u0000\" :1}", NULL },
    { "a backslash and u0000 in a key", "{\"\\\\u0000\":1}", "{\"\\\\u0000\":1}" },
    { "not a number", "[NaN]", NULL },
    { "infinite", "[-Infinity]", NULL },
    { "key in single quotes", "{'a':1}", NULL },
    { "any byte in a string", "\"'NaN/\\\"I\\\\\"", "\"'NaN/\\\"I\\\\\"" },
    { "number without a digit before the dot", "[.5]", NULL },
    { "plus sign", "[+1]", NULL },
    { "exponent without a digit", "[1e]", NULL },
    { "sign alone", "[-]", NULL },
    { "trailing comma of an object", "{\"a\":1,}", NULL },
    { "unknown escape", "[\"\\x41\"]", NULL },
    { "broken UTF-8", "\"\xff\"", NULL },
};

static void values_are_read_strictly(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        _cleanup_json_ struct json_object *value = NULL;
        _cleanup_buf_ struct buf out = BUF_INIT(1000);
        struct err e = { 0 };
        int code = json_parse(cases[i].text, strlen(cases[i].text), DEPTH, &value, &e);

        if (code != (cases[i].again ? 0 : -EINVAL))
            fail_msg("%s: code %d, %s", cases[i].name, code, e.msg);
        if (code < 0) {
            assert_null(value);
            assert_int_equal(strncmp(e.msg, "JSON: ", 6), 0);
            continue;
        }
        assert_int_equal(json_write(value, &out), 0);
        if (strcmp(buf_str(&out), cases[i].again) != 0)
            fail_msg("%s: written as %s", cases[i].name, buf_str(&out));
    }
}

static void a_nul_byte_in_the_text_is_refused(void **state)
{
    static const char text[] = "{}\0{}";
    struct json_object *value = NULL;
    struct err e = { 0 };

    (void)state;
    assert_int_equal(json_parse(text, sizeof(text) - 1, DEPTH, &value, &e), -EINVAL);
    assert_int_equal(json_parse("[1\0]", 4, DEPTH, &value, &e), -EINVAL);
    assert_null(value);
}

static struct json_object *parse(const char *text)
{
    struct json_object *value = NULL;
    struct err e = { 0 };

    if (json_parse(text, strlen(text), 16, &value, &e) < 0)
        fail_msg("%s", e.msg);
    return value;
}

static void paths_give_what_has_the_type(void **state)
{
    _cleanup_json_ struct json_object *root =
        parse("{\"s\":\"x\",\"n\":{\"i\":7,\"b\":true,\"a\":[1],\"nil\":null},\"a.b\":1}");

    (void)state;
    assert_ptr_equal(json_get(root, ""), root);
    assert_string_equal(json_get_str(root, "s"), "x");
    assert_int_equal(json_get_int(root, "n.i", -1), 7);
    assert_true(json_get_bool(root, "n.b", false));
    assert_non_null(json_get_array(root, "n.a"));
    assert_non_null(json_get_object(root, "n"));
    assert_null(json_get(root, "n.nil"));
    assert_null(json_get(root, "n.i.deeper"));
    assert_null(json_get(root, "s.x"));
    assert_null(json_get(root, "missing.x"));
    assert_null(json_get_str(root, "n.i"));
    assert_null(json_get_array(root, "n"));
    assert_int_equal(json_get_int(root, "s", -1), -1);
    assert_false(json_get_bool(root, "n.i", false));
    assert_null(json_get(root, "a.b"));
    assert_non_null(json_get_key(root, "a.b"));
    assert_null(json_get_key(NULL, "a"));
    assert_null(json_get(NULL, "a"));
    assert_null(
        json_get(root, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"));
}

static void what_is_set_is_written(void **state)
{
    _cleanup_json_ struct json_object *o = json_object_new_object();
    _cleanup_buf_ struct buf out = BUF_INIT(1000);

    (void)state;
    json_set_str(o, "s", "a\"\n/");
    json_set_str(o, "left out", NULL);
    json_set_int(o, "i", INT64_MIN);
    json_set_bool(o, "b", false);
    json_set(o, "nil", NULL);
    json_set_int(json_add_object(o, "o"), "x", 1);
    (void)json_object_array_add(json_add_array(o, "a"), json_object_new_int(2));
    assert_int_equal(json_write(o, &out), 0);
    assert_string_equal(buf_str(&out),
                        "{\"s\":\"a\\\"\\n/\",\"i\":-9223372036854775808,\"b\":false,"
                        "\"nil\":null,\"o\":{\"x\":1},\"a\":[2]}");
    out.max = 10;
    buf_clear(&out);
    assert_int_equal(json_write(o, &out), -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read_strictly),
        cmocka_unit_test(a_nul_byte_in_the_text_is_refused),
        cmocka_unit_test(paths_give_what_has_the_type),
        cmocka_unit_test(what_is_set_is_written),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
